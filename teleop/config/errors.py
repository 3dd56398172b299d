"""Turns pydantic's findings into one report a person can act on."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from teleop.errors import TrocarError


class ConfigError(TrocarError):
    """One or more mistakes in a configuration.

    Attributes:
        mistakes: one line each: file, key, what was wrong, what was expected.
    """

    def __init__(self, mistakes: Sequence[str]) -> None:
        """Keep the lines; the message joins them."""
        self.mistakes = tuple(mistakes)
        count = len(self.mistakes)
        head = "1 mistake" if count == 1 else f"{count} mistakes"
        super().__init__(f"{head} in the configuration:\n" + "\n".join(f"  {line}" for line in self.mistakes))


def suggest(word: str, known: Iterable[str]) -> str:
    """`` Did you mean `x`?`` for the closest of ``known``, else an empty string."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" Did you mean `{close[0]}`?" if close else ""


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Every model that an annotation can hold, looking through Optional, unions, Annotated and containers."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in typing.get_args(annotation) for model in _models(argument)]


def _step(models: list[type[BaseModel]], part: str | int) -> list[type[BaseModel]]:
    """The models below key ``part``; none where it is an index or a tag that pydantic adds for unions."""
    fields = [
        model.model_fields[part] for model in models if isinstance(part, str) and part in model.model_fields
    ]
    return [below for field in fields for below in _models(field.annotation)]


def _tagged(models: list[type[BaseModel]], part: str | int) -> list[type[BaseModel]]:
    """The members of a union that ``part`` selects, such as ``kind = "dh"``."""
    return [
        model
        for model in models
        if any(
            typing.get_origin(field.annotation) is typing.Literal
            and part in typing.get_args(field.annotation)
            for field in model.model_fields.values()
        )
    ]


def _known_keys(root: Any, loc: Sequence[str | int]) -> set[str]:
    """Keys that the table at ``loc`` may have."""
    current = _models(root)
    for part in loc:
        current = _step(current, part) or _tagged(current, part) or current
    return {key for model in current for key in model.model_fields}


def _path(root: Any, loc: Sequence[str | int]) -> str:
    """``pairs[0].arm.profile``, without the tags that pydantic adds for unions."""
    text = ""
    current = _models(root)
    for position, part in enumerate(loc):
        if isinstance(part, int):
            text += f"[{part}]"
        elif position == len(loc) - 1 or any(part in model.model_fields for model in current):
            text += f".{part}" if text else part
        current = _step(current, part) or current
    return text


def describe(error: ValidationError, root: Any, file: Path | str) -> list[str]:
    """One line for each mistake that pydantic found in ``file``.

    Args:
        error: what pydantic raised.
        root: the model, or union of models, that was validated.
        file: where the table came from.
    """
    details = error.errors(include_url=False)
    return [_line(detail, root, file) for detail in details if not _follows(detail, details)]


def _follows(detail: ErrorDetails, details: Sequence[ErrorDetails]) -> bool:
    """A list that is too short only because its items are wrong is no mistake of its own."""
    loc = detail["loc"]
    return detail["type"] == "too_short" and any(
        len(other["loc"]) > len(loc) and other["loc"][: len(loc)] == loc for other in details
    )


def _line(detail: ErrorDetails, root: Any, file: Path | str) -> str:
    loc = detail["loc"]
    key = _path(root, loc)
    kind = detail["type"]
    if kind == "extra_forbidden":
        word = str(loc[-1])
        known = _known_keys(root, loc[:-1])
        listed = ", ".join(sorted(known))
        return f"{file}: {key}: there is no such key.{suggest(word, known)} Known here: {listed}."
    if kind == "missing":
        return f"{file}: {key}: this key is missing."
    if kind == "union_tag_invalid":
        tag, expected = detail["ctx"]["tag"], detail["ctx"]["expected_tags"]
        hint = suggest(tag, expected.replace("'", "").split(", "))
        return f"{file}: {key}.kind: there is no {tag!r}.{hint} Known: {expected}."
    message = detail["msg"].removeprefix("Value error, ")
    value = detail["input"]
    shown = "" if isinstance(value, dict | list) or kind == "value_error" else f" (it is {value!r})"
    return f"{file}: {key or 'the table'}: {message}{shown}."
