"""`questlog completion`: what a shell needs to complete the command's words."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import click

# Bash cuts words at : and =, which stand in stores' URLs and in player:ID. They are joined again
# where nothing stood between them, and what bash took for words before the last is cut off again
# from what is offered. Bash puts an offer on the line as it is, and whoever may make a campaign
# chose its id: quoted, it is a word and no command.
_BASH = r"""_questlog_completion() {
    local rest="$COMP_LINE" words=() last index word cut line value
    for ((index = 0; index <= COMP_CWORD; index++)); do
        word="${COMP_WORDS[index]}"
        if ((index == 0)) || [[ "$rest" == [[:space:]]* ]]; then
            words+=("$word")
            rest="${rest#"${rest%%[![:space:]]*}"}"
        else
            words[-1]+="$word"
        fi
        rest="${rest#"$word"}"
    done
    last=$((${#words[@]} - 1))
    word="${words[last]}"
    [[ "$word" == -*=* ]] && word="${word#*=}"
    cut="${word%"${word##*[:=]}"}"
    COMPREPLY=()
    while IFS= read -r line; do
        case "${line%%,*}" in
        dir) compopt -o dirnames ;;
        file) compopt -o default ;;
        plain)
            printf -v value '%q' "${line#*,}"
            COMPREPLY+=("${value#"$cut"}")
            ;;
        esac
    done < <(
        IFS=$'\n'
        env COMP_WORDS="${words[*]}" COMP_CWORD=$last _QUESTLOG_COMPLETE=bash_complete \
            "$1" 2>/dev/null
    )
}

complete -o nosort -F _questlog_completion questlog
"""

_ZSH = r"""#compdef questlog

_questlog_completion() {
    local -a offered described
    local type value help
    while IFS= read -r type && IFS= read -r value && IFS= read -r help; do
        case "$type" in
        dir) _path_files -/ ;;
        file) _path_files -f ;;
        plain)
            if [[ "$help" == "_" ]]; then
                offered+=("$value")
            else
                described+=("$value:$help")
            fi
            ;;
        esac
    done < <(
        env COMP_WORDS="${(F)words}" COMP_CWORD=$((CURRENT - 1)) _QUESTLOG_COMPLETE=zsh_complete \
            questlog 2>/dev/null
    )
    (( $#described )) && _describe -V questlog described -U
    (( $#offered )) && compadd -U -V questlog -a offered
    return 0
}

if [[ "$zsh_eval_context[-1]" == loadautofunc ]]; then
    _questlog_completion "$@"
else
    compdef _questlog_completion questlog
fi
"""

_FISH = r"""function _questlog_completion
    set -lx COMP_WORDS (commandline -cp | string collect)
    set -lx COMP_CWORD (commandline -ct)
    set -lx _QUESTLOG_COMPLETE fish_complete
    questlog 2>/dev/null | while read -l line
        set -l parts (string split --max 1 , -- $line)
        switch $parts[1]
            case dir
                __fish_complete_directories $parts[2]
            case file
                __fish_complete_path $parts[2]
            case plain
                printf '%s\n' $parts[2]
        end
    end
end

complete --no-files --command questlog --arguments '(_questlog_completion)'
"""

SCRIPTS: Mapping[str, str] = MappingProxyType({"bash": _BASH, "zsh": _ZSH, "fish": _FISH})


@click.command()
@click.argument("shell", type=click.Choice(tuple(SCRIPTS)))
def completion(shell: str) -> None:
    """Print the script that makes SHELL complete commands, options, campaigns and files.

    \b
    bash: eval "$(questlog completion bash)"         in ~/.bashrc
    zsh:  eval "$(questlog completion zsh)"          in ~/.zshrc, after compinit
    fish: questlog completion fish | source          in ~/.config/fish/config.fish
    """
    click.echo(SCRIPTS[shell], nl=False)
