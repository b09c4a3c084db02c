"""``completion``: a script with every command and option in it, so that a Tab starts no Python."""

from __future__ import annotations

from collections.abc import Iterator

import click

Words = dict[str, list[str]]
"""Path of a command (``""``, ``events list``) to the words that can follow it."""

_BASH = """\
# bash completion of gitbridge-console: put it into a file that your shell reads, or eval it.
_gitbridge_console() {{
    local word path="" candidate
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case "$word" in -*) continue ;; esac
        candidate="${{path:+$path }}$word"
        case "|{paths}|" in *"|$candidate|"*) path="$candidate" ;; esac
    done
    local options=""
    case "$path" in
{cases}
    esac
    COMPREPLY=($(compgen -W "$options" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _gitbridge_console gitbridge-console
"""

_ZSH = """\
#compdef gitbridge-console
# zsh completion of gitbridge-console: save as _gitbridge-console in a folder of $fpath, or eval it after compinit.
_gitbridge_console() {{
    local word candidate at=""
    for word in ${{words[2,CURRENT-1]}}; do
        [[ $word == -* ]] && continue
        candidate="${{at:+$at }}$word"
        case "|{paths}|" in *"|$candidate|"*) at="$candidate" ;; esac
    done
    local -a choices
    case "$at" in
{cases}
    esac
    compadd -a choices || _files
}}
compdef _gitbridge_console gitbridge-console
"""


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a completion script for a shell."""
    root = ctx.find_root()
    words = dict(_collect(root.command, root, ""))
    click.echo({"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](words), nl=False)


def _collect(command: click.Command, ctx: click.Context, path: str) -> Iterator[tuple[str, list[str]]]:
    following = [
        option
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
        if option.startswith("--")
    ]
    following.append("--help")
    if isinstance(command, click.Group):
        names = command.list_commands(ctx)
        yield path, [*names, *following]
        for name in names:
            below = command.get_command(ctx, name)
            if below is not None:
                yield from _collect(below, ctx, f"{path} {name}".strip())
    else:
        choices = [
            word for parameter in command.params if isinstance(parameter, click.Argument) for word in getattr(parameter.type, "choices", ())
        ]
        yield path, [*choices, *following]


def _bash(words: Words) -> str:
    cases = "\n".join(f'        "{path}") options="{" ".join(following)}" ;;' for path, following in words.items())
    return _BASH.format(paths="|".join(path for path in words if path), cases=cases)


def _zsh(words: Words) -> str:
    cases = "\n".join(f'        "{path}") choices=({" ".join(following)}) ;;' for path, following in words.items())
    return _ZSH.format(paths="|".join(path for path in words if path), cases=cases)


def _fish(words: Words) -> str:
    lines = ["# fish completion of gitbridge-console: save as gitbridge-console.fish in your completions folder."]
    for path, following in words.items():
        below = [word for word in following if not word.startswith("-")]
        seen = " ".join(f"__fish_seen_subcommand_from {part};" + " and" for part in path.split()).removesuffix("; and")
        condition = seen or "true"
        if path and below:
            condition += f"; and not __fish_seen_subcommand_from {' '.join(below)}"
        if not path:
            condition = "__fish_use_subcommand"
        if below:
            lines.append(f"complete -c gitbridge-console -f -n '{condition}' -a '{' '.join(below)}'")
        for option in (word for word in following if word.startswith("--")):
            where = "" if not path else f" -n '{condition}'"
            lines.append(f"complete -c gitbridge-console{where} -l {option.removeprefix('--')}")
    return "\n".join(lines) + "\n"
