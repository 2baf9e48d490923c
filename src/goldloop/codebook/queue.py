"""The queue's settings in a codebook: how many traces are drawn, by which policies, for whom.

They may change from day to day without a new version: they change no label's meaning.
"""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(gt=0, le=1)]
Part = Annotated[float, Field(ge=0, le=1)]


class QueueSettings(BaseModel):
    """How many traces are drawn, by which policies, for how many annotators."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    budget: int = Field(gt=0, le=10_000, description="traces drawn a day, UTC")
    mix: dict[Literal["random", "stratified"], Share] = Field(description="share of each policy; they sum to 1")
    stratified_power: float = Field(
        default=0.5, ge=0, le=1, description="a category weighs its size to this power: 0 all alike, 1 by size"
    )
    annotations_per_trace: int = Field(default=1, ge=1, le=9, description="annotators who judge each trace")
    double_label_share: Part = Field(
        default=0, description="share of the drawn traces that one annotator more judges, to measure agreement"
    )
    blind_share: Part = Field(default=0, description="share of the drawn traces that are judged without a suggestion")
    adjudication: Literal["majority", "owner"] = Field(
        default="majority", description="who decides where annotators disagree: most of them, or the adjudicator"
    )
    adjudicator: str | None = Field(
        default=None, min_length=3, description="the Label Studio e-mail of whoever adjudicates, for `owner`"
    )
    age_limit_days: int = Field(default=30, ge=1, description="older traces are not drawn")
    annotator_limit: int | None = Field(
        default=None, ge=1, description="annotations a day (UTC) after which an annotator should stop; reported"
    )

    @model_validator(mode="after")
    def _shares_sum_to_one(self) -> Self:
        total = sum(self.mix.values())
        if abs(total - 1) > 1e-9:  # noqa: PLR2004 - rounding of decimal shares
            raise ValueError(f"the shares of the mix sum to {total:g}, and must sum to 1")
        return self

    @model_validator(mode="after")
    def _someone_adjudicates(self) -> Self:
        if self.adjudication == "owner" and not self.adjudicator:
            raise ValueError("adjudication by the owner needs `adjudicator`: the owner's e-mail in Label Studio")
        return self
