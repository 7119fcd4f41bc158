"""``lvs-agent completion``: commands and options at a tab."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    \b
    bash:  lvs-agent completion bash > /etc/bash_completion.d/lvs-agent
    zsh:   lvs-agent completion zsh > "${fpath[1]}/_lvs-agent"
    fish:  lvs-agent completion fish > ~/.config/fish/completions/lvs-agent.fish
    """  # noqa: D301 - the control character that click wants
    completer = get_completion_class(shell)
    if completer is not None:
        click.echo(completer(context.find_root().command, {}, "lvs-agent", "_LVS_AGENT_COMPLETE").source())
