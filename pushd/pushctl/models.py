"""The models of Control iD devices, of which ``pushctl open`` knows how they open."""

from collections.abc import Iterable

from pushd.dialects.controlid.models import MODELS
from pushd.lib.text import printable
from pushd.model.device import dialect_of
from pushd.model.facts import model_key
from pushd.pushctl import terminal

_KNOWN = {model_key(model): model for model in MODELS}


def spelled(model: str) -> str:
    """A model as its manufacturer writes it; one that is not known as it is."""
    return _KNOWN.get(model_key(model), model)


def warn_of_unknown_models(models: Iterable[tuple[str, object]]) -> None:
    """Say which models of these devices are not known: most likely they were mistyped."""
    given = dict.fromkeys(str(model) for device, model in models if model and dialect_of(device) == "controlid")
    unknown = [printable(model) for model in given if model_key(model) not in _KNOWN]
    if unknown:
        terminal.echo(
            f"pushctl open does not know the model {', '.join(unknown)}; it knows {', '.join(MODELS)}."
            " For another, say how it opens: pushctl devices set DEVICE --opens-with door|sec_box|catra",
            err=True,
        )
