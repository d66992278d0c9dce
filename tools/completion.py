"""`questlog completion`: what a shell needs to complete the command's words."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

VARIABLE = "_QUESTLOG_COMPLETE"
SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the script that makes SHELL complete commands, options, campaigns and files.

    \b
    bash: eval "$(questlog completion bash)"         in ~/.bashrc
    zsh:  eval "$(questlog completion zsh)"          in ~/.zshrc, after compinit
    fish: questlog completion fish | source          in ~/.config/fish/config.fish
    """
    made = get_completion_class(shell)
    assert made is not None, "click knows these three"
    root = click.get_current_context().find_root().command
    click.echo(made(root, {}, "questlog", VARIABLE).source(), nl=False)
