"""What calls cost: by the prices that are set, else by the public ones that come with the client library."""

from typing import Final

from genai_prices import calc_price
from pydantic_ai.usage import RequestUsage

from goldloop.adapters.llm.models import NamedModel
from goldloop.errors import ConfigError
from goldloop.judge.settings import JudgeSettings

_MILLION: Final = 1_000_000
_DIGITS: Final = 9


class Prices:
    """Prices of one model.

    Those that are set go before those that are known, which hold for the vendor's own models alone: what a server of
    one's own costs, nobody else knows.

    Raises:
        ConfigError: one of the two prices is missing, or money is limited and no price is known.
    """

    def __init__(self, settings: JudgeSettings, named: NamedModel) -> None:
        set_prices = (settings.input_price, settings.output_price)
        if (set_prices[0] is None) != (set_prices[1] is None):
            raise ConfigError("set GOLDLOOP_JUDGE__INPUT_PRICE and GOLDLOOP_JUDGE__OUTPUT_PRICE both, or neither.")
        self._set = None if set_prices[0] is None or set_prices[1] is None else (set_prices[0], set_prices[1])
        self._named = named
        self._known = self._set is not None or (named.known and self._public(RequestUsage(input_tokens=1)) is not None)
        limited = settings.usd_per_run is not None or settings.usd_per_day is not None
        if limited and not self._known:
            raise ConfigError(
                f"no price of {named.name} is known, and GOLDLOOP_JUDGE__USD_PER_RUN or __USD_PER_DAY limits what it "
                "may cost: set GOLDLOOP_JUDGE__INPUT_PRICE and GOLDLOOP_JUDGE__OUTPUT_PRICE, in USD for a million "
                "tokens."
            )

    def of(self, usage: RequestUsage) -> float | None:
        """USD; None where no price is known."""
        if not self._known:
            return None
        if self._set is None:
            return self._public(usage)
        tokens = (usage.input_tokens, usage.output_tokens)
        return round(sum(count * price for count, price in zip(tokens, self._set, strict=True)) / _MILLION, _DIGITS)

    def estimate(self, input_tokens: int, output_tokens: int) -> float | None:
        return self.of(RequestUsage(input_tokens=input_tokens, output_tokens=output_tokens))

    def _public(self, usage: RequestUsage) -> float | None:
        try:
            price = calc_price(usage, self._named.model, provider_id=self._named.speaks)
        except (LookupError, ValueError):
            return None
        return round(float(price.total_price), _DIGITS)
