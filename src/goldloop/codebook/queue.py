"""The queue's settings in a codebook: how many traces are drawn, by which policies, for whom.

They may change from day to day without a new version: they change no label's meaning.
"""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from goldloop.codebook.sampling import Caps, PolicyName, PolicySettings

Part = Annotated[float, Field(ge=0, le=1)]
MixName = Literal["balanced", "hunt", "measure"]
Mix = dict[PolicyName, Part]
HIGHEST_FLOOR = 0.3


class QueueSettings(BaseModel):
    """How many traces are drawn, by which policies, for how many annotators."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    budget: int = Field(gt=0, le=10_000, description="traces drawn a day, UTC")
    mix: MixName | Mix = Field(
        default="balanced", description="a named mix, or the share of each policy; shares sum to 1"
    )
    policies: PolicySettings = Field(default=PolicySettings(), description="how each policy weighs its candidates")
    stratified_power: float | None = Field(
        default=None, ge=0, le=1, description="the same as `policies.stratified_power`, which it overrides"
    )
    random_floor: float = Field(
        default=0.1, ge=0, le=HIGHEST_FLOOR, description="share of the random policy that no other policy can take"
    )
    caps: Caps = Field(default=Caps(), description="traces of one user, and of one session, that one draw takes")
    queue_cap: int | None = Field(
        default=None, ge=1, description="open traces at most; what a draw brings above it is parked as overflow"
    )
    annotations_per_trace: int = Field(default=1, ge=1, le=9, description="annotators who judge each trace")
    double_label_share: Part = Field(
        default=0, description="share of the drawn traces that one annotator more judges, to measure agreement"
    )
    blind_share: Part = Field(default=0, description="share of the drawn traces that are judged without a suggestion")
    relabel_share: Part = Field(
        default=0, description="share of the draw that is judged again, long after it was resolved"
    )
    adjudication: Literal["majority", "owner"] = Field(
        default="majority", description="who decides where annotators disagree: most of them, or the adjudicator"
    )
    adjudicator: str | None = Field(
        default=None, min_length=3, description="the Label Studio e-mail of whoever adjudicates, for `owner`"
    )
    age_limit_days: int = Field(
        default=30, ge=1, description="older traces are not drawn, and those that wait longer are parked as expired"
    )
    annotator_limit: int | None = Field(
        default=None, ge=1, description="annotations a day (UTC) after which an annotator should stop; reported"
    )

    @property
    def policy_settings(self) -> PolicySettings:
        """`policies`, with what is set beside it."""
        if self.stratified_power is None:
            return self.policies
        return self.policies.model_copy(update={"stratified_power": self.stratified_power})

    @model_validator(mode="after")
    def _shares_sum_to_one(self) -> Self:
        if isinstance(self.mix, str):
            return self
        total = sum(self.mix.values())
        if abs(total - 1) > 1e-9:  # noqa: PLR2004 - rounding of decimal shares
            raise ValueError(f"the shares of the mix sum to {total:g}, and must sum to 1")
        return self

    @model_validator(mode="after")
    def _someone_adjudicates(self) -> Self:
        if self.adjudication == "owner" and not self.adjudicator:
            raise ValueError("adjudication by the owner needs `adjudicator`: the owner's e-mail in Label Studio")
        return self
