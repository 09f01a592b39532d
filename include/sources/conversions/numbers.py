"""How numbers are written in text: separators, symbols, signs, percentages."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from include.definitions import Definition, WrongField
from include.sources.conversions.patterns import escaped

# Spaces that publishers write within numbers: also the no-break, thin and narrow no-break ones.
SPACE = "[ \u00a0\u2009\u202f]"
_THOUSANDS = {",": ",", ".": r"\.", " ": SPACE, "'": "['\u2019]"}
_MINUS = "[-\u2212]"
_NOT_IN_A_SYMBOL = re.compile(r"[\s0-9+#%()\u2212-]")
_NOT_IN_A_SIGN = re.compile(r"[\s0-9%.,'\u2019]")


class NumberFormat(Definition):
    """How numbers are written in text."""

    thousands: Literal["", ",", ".", " ", "'"] = Field(
        default="",
        description="Between groups of three digits; numbers without it are accepted, too. A space "
        "stands for any space, including a no-break or thin one, `'` for either apostrophe.",
    )
    decimal: Literal[".", ","] = Field(default=".", description="Before the decimals.")
    symbols: tuple[str, ...] = Field(
        default=(),
        description="Texts with the same meaning, one of which may stand before or after a number: "
        "`[£, GBP]`. Spaces between the symbol, the sign and the number are accepted.",
    )
    negative: tuple[str, ...] = Field(
        default=(),
        description="How negative numbers are written, in addition to a leading minus, with "
        "`#` for the "
        "number: `(#)`, `#-`, `#CR`.",
    )
    percent: Literal["", "fraction", "points"] = Field(
        default="",
        description="What 12.5% becomes. `fraction`: 0.125, and a number without the sign breaks "
        "the rule `type`. `points`: 12.5, with or without the sign.",
    )

    @field_validator("symbols")
    @classmethod
    def _are_symbols(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for symbol in value:
            if not symbol or _NOT_IN_A_SYMBOL.search(symbol):
                raise ValueError(
                    f"expected texts without digits, signs, brackets, % and spaces, like £, "
                    f"found {symbol!r}"
                )
        return value

    @field_validator("negative")
    @classmethod
    def _are_signs(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for sign in value:
            around = sign.replace("#", "", 1)
            if "#" not in sign or "#" in around or not around or _NOT_IN_A_SIGN.search(around):
                raise ValueError(f"expected a sign around one #, like (#) or #-, found {sign!r}")
            if around in ("+", "") or (sign in ("-#", "\u2212#")):
                raise ValueError(
                    f"a leading minus is always accepted, a leading plus never; found {sign!r}"
                )
        return value

    @model_validator(mode="after")
    def _differ(self) -> NumberFormat:
        if self.thousands == self.decimal:
            raise WrongField("the same as `decimal`", "thousands")
        if self.percent and self.symbols:
            raise WrongField("a percentage has no other symbol; use another column", "symbols")
        for place, symbol in enumerate(self.symbols):
            if {self.thousands, self.decimal} & set(symbol):
                raise WrongField(f"{symbol!r} has a separator of the number", "symbols", place)
            for sign in self.negative:
                if any(symbol in part or part in symbol for part in sign.split("#") if part):
                    raise WrongField(f"{symbol!r} is part of `negative: {sign}`", "symbols", place)
        return self

    @property
    def number(self) -> str:
        """The pattern of digits with separators."""
        point = escaped(self.decimal)
        whole = "[0-9]+"
        if self.thousands:
            whole = f"(?:[0-9]{{1,3}}(?:{_THOUSANDS[self.thousands]}[0-9]{{3}})+|[0-9]+)"
        return f"(?:{whole}(?:{point}[0-9]*)?|{point}[0-9]+)"

    @property
    def negatives(self) -> str:
        """The pattern of negative numbers, with sign and symbol."""
        signs = [tuple(map(_sign, sign.split("#"))) for sign in self.negative]
        return "|".join(self._arranged(before, after) for before, after in [(_MINUS, ""), *signs])

    @property
    def pattern(self) -> str:
        """The pattern of all numbers, with sign and symbol."""
        return "|".join([self._arranged("", ""), self._arranged(r"\+", ""), self.negatives])

    def _arranged(self, before: str, after: str) -> str:
        """A number with a sign around it and at most one symbol, which may be anywhere around."""
        number = self.number
        before = f"{before}{SPACE}*" if before else ""
        after = f"{SPACE}*{after}" if after else ""
        symbols = ("%",) if self.percent else self.symbols
        if not symbols:
            return f"{before}{number}{after}"
        symbol = f"(?:{'|'.join(map(escaped, sorted(symbols, key=len, reverse=True)))})"
        found = [
            f"{symbol}{SPACE}*{before}{number}{after}",
            f"{before}{number}{after}{SPACE}*{symbol}",
        ]
        if before:
            found.append(f"{before}{symbol}{SPACE}*{number}{after}")
        if after:
            found.append(f"{before}{number}{SPACE}*{symbol}{after}")
        if self.percent != "fraction":
            found.append(f"{before}{number}{after}")
        return "|".join(found)

    def example(self, *, whole: bool) -> str:
        """A number written like this, for messages; without decimals if `whole`."""
        number = f"1{self.thousands}234" + ("" if whole else f"{self.decimal}5")
        symbol = "%" if self.percent else "".join(self.symbols[:1])
        return f"{number}{symbol}" if self.percent else f"{symbol}{number}"


def _sign(part: str) -> str:
    return escaped(part).replace("-", _MINUS)
