"""Completion in bash, where a colon, which all ids of devices have, separates words; zsh and fish are click's own."""

import os
from typing import Any

from click.shell_completion import BashComplete, CompletionItem, split_arg_string

COMPLETE_VARIABLE = "_PUSHCTL_COMPLETE"
"""With this variable set, ``pushctl`` prints candidates instead of doing anything."""

_BASH = """\
%(complete_func)s() {
    local type value
    COMPREPLY=()
    while IFS=, read -r type value; do
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain) printf -v value %%q "$value"; COMPREPLY+=("$value") ;;
        esac
    done < <(env COMP_LINE="${COMP_LINE:0:COMP_POINT}" COMP_WORDBREAKS="$COMP_WORDBREAKS" \\
        %(complete_var)s=bash_complete "$1" 2>/dev/null)
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""


class Bash(BashComplete):
    """Completes the words of the line as a shell would split it, whatever characters the shell completes at."""

    source_template = _BASH

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the one that is completed, and that word."""
        line = os.environ["COMP_LINE"]
        words = split_arg_string(line)
        incomplete = "" if line[-1:].isspace() or len(words) < 2 else words.pop()
        return words[1:], incomplete

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[Any]]:
        """The candidates without what stands before the last colon, which the shell keeps."""
        found = super().get_completions(args, incomplete)
        value = incomplete.partition("=")[2] if incomplete.startswith("--") else incomplete
        kept, colon, _ = value.rpartition(":")
        if not colon or ":" not in os.environ.get("COMP_WORDBREAKS", ""):
            return found
        return [CompletionItem(item.value.removeprefix(kept + colon), item.type) for item in found]
