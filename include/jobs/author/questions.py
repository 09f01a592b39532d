"""What a draft cannot know, and a person is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from include.errors import PermanentError


@dataclass(frozen=True)
class Question:
    """One question: `what` ends without a full stop, `option` answers it on the command line.

    `choices` are the only answers, if there are any; `suggestion` is a likely one.
    """

    what: str
    option: str
    choices: Sequence[str] = field(default=())
    suggestion: str = ""


Ask = Callable[[Question], str]

_SHOWN = 20


def refuse(question: Question) -> str:
    """Raise `PermanentError` that names the option: nobody is there to be asked."""
    raise PermanentError(sentence(question))


def sentence(question: Question) -> str:
    """What is missing, the option that gives it, and the choices or the suggestion."""
    said = f"{question.what}. Pass {question.option}"
    shown = [*question.choices[:_SHOWN]]
    if shown:
        more = len(question.choices) - len(shown)
        said += f": one of {', '.join(shown)}" + (f" and {more} more" if more else "")
    elif question.suggestion:
        said += f", such as {question.suggestion}"
    return f"{said}."


def answered(question: Question, given: str, ask: Ask) -> str:
    """The option's value, else the answer.

    Raises `PermanentError` for one that is not among the choices.
    """
    answer = given or ask(question)
    if question.choices and answer not in question.choices:
        raise PermanentError(f"{question.option} {answer}: {sentence(question)}")
    return answer
