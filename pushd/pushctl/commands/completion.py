"""``pushctl completion``: completion in the shell."""

import click
from click.shell_completion import FishComplete, ShellComplete, ZshComplete

from pushd.pushctl.options import verbatim
from pushd.pushctl.shells import COMPLETE_VARIABLE, Bash
from pushd.pushctl.terminal import write_line

_SHELLS: dict[str, type[ShellComplete]] = {"bash": Bash, "zsh": ZshComplete, "fish": FishComplete}

_EXAMPLES = """\
Examples, to switch it on in each new bash, zsh or fish:
  pushctl completion bash \\
      > ~/.local/share/bash-completion/completions/pushctl
  echo 'eval "$(pushctl completion zsh)"' >> ~/.zshrc
  pushctl completion fish > ~/.config/fish/completions/pushctl.fish"""


@click.command(epilog=verbatim(_EXAMPLES))
@click.argument("shell", type=click.Choice(list(_SHELLS)))
@click.pass_context
def completion(context: click.Context, /, *, shell: str) -> None:
    """Print the script that completes pushctl in a shell.

    The script completes commands and options, and asks the server for ids of devices, commands and others: the server
    that the options before the command, or the environment, select. It shows nothing if the server does not answer.
    """
    completes = _SHELLS[shell](context.find_root().command, {}, "pushctl", COMPLETE_VARIABLE)
    write_line(ShellComplete.source(completes).rstrip())  # bash's own would first start another bash
