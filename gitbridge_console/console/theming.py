"""The themes of a running console: which there are, which is on, and taking over changed files."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence

from textual.app import App
from textual.theme import BUILTIN_THEMES

from gitbridge_console.console.changed_cells import FrugalApp
from gitbridge_console.console.screens.base import FleetScreen
from gitbridge_console.console.text import safe
from gitbridge_console.console.theme_watch import ThemeWatch
from gitbridge_console.console.themes import ThemeFile, named_like, nearest, shipped_folder, user_folder

logger = logging.getLogger(__name__)

NO_COLOUR = "no colour is wanted (NO_COLOR or --no-color): there is no theme to choose"


class Theming:
    """Puts themes on the application, those shipped and the operator's own. With ``no_color`` nothing is ever put on."""

    def __init__(self, app: FrugalApp, wanted: str, *, no_color: bool, all_at_once: bool = True) -> None:
        """Puts ``wanted`` on, else the first one there is.

        Unless ``all_at_once`` only the file named like it is read, where there is one; the next :meth:`look` reads the others.
        """
        self._app = app
        self.no_color = no_color
        self.files: dict[str, ThemeFile] = {}
        self.problems: tuple[str, ...] = ()
        """What is wrong with theme files now, one line each."""
        self._watch = ThemeWatch((shipped_folder(), user_folder()))
        self.worn: ThemeFile | None = None
        """The theme that is on, perhaps only tried; it stays when its file goes."""
        self.kept: ThemeFile | None = None
        """The theme that was asked for and stays on when the trial of another ends."""
        self._wanted = wanted
        self._all_read = False
        if no_color:
            app.open_in(BUILTIN_THEMES["ansi-dark"])
        elif not all_at_once and (theme := named_like(wanted, (user_folder(), shipped_folder()))) is not None:
            self.kept = theme
            self.wear(theme)
            return
        self._read_all()

    def _read_all(self) -> None:
        """The first look at the folders."""
        self._all_read = True
        if (found := self._watch.check()) is not None:
            self.files, self.problems = dict(found.themes), found.problems
        theme = self.files.get(self._wanted) or next((self.files[name] for name in self.names), None)
        if theme is not None and not self.no_color:
            self.kept = theme
            self.wear(theme)

    @property
    def names(self) -> list[str]:
        """Names of the themes there are, in the order of the alphabet."""
        return sorted(self.files)

    def tell(self) -> None:
        """Say what is wrong with the files that were read."""
        for problem in self.problems:
            logger.warning("%s", problem)
        if self.no_color:
            return
        if self.files and self._wanted not in self.files:
            logger.warning("no theme %s: there are %s", safe(self._wanted), ", ".join(self.names))
        if self.problems:
            self._app.call_after_refresh(self._tell, self.problems)

    def choose(self, name: str) -> bool:
        """Put a theme on by name and say so; ``False``, with the reason in the bottom row, where that cannot be."""
        if self.no_color:
            self.say(NO_COLOUR, "warn")
            return False
        theme = self.files.get(name)
        if theme is None:
            like = nearest(name, self.names)
            self.say(f"no theme {safe(name)}: " + (f"is {like} meant?" if like else f"there are {', '.join(self.names)}"), "warn")
            return False
        self.kept = theme
        self.wear(theme)
        self.say(f'theme {name}; console.theme = "{name}" in the settings keeps it', "dim")
        return True

    def wear(self, theme: ThemeFile) -> None:
        """Put a theme on; one that is on already is not drawn again."""
        if self.no_color or theme == self.worn:
            return
        self.worn = theme
        if not self._app.is_running:
            self._app.open_in(theme.theme())
            return
        self._app.register_theme(theme.theme())
        if self._app.theme == theme.name:
            # Registering the name that is on changes nothing by itself.
            self._app.mutate_reactive(App.theme)
        else:
            self._app.theme = theme.name
        # The style sheet knows grounds and foreground only: where just a tone differs it would repaint nothing.
        for mode in self._app.MODES:
            with contextlib.suppress(KeyError):  # a mode nobody has been in yet
                for screen in self._app.get_screen_stack(mode):
                    for widget in screen.walk_children():
                        widget.refresh()

    def restore(self) -> None:
        """End a trial."""
        if self.kept is not None:
            self.wear(self.kept)

    def look(self) -> bool:
        """Look at the folders; ``True`` when something is other than before.

        A changed theme that is on is put on anew; a broken or a removed one stays as it is.
        """
        if not self._all_read:
            self._read_all()
            self.tell()
            return True
        found = self._watch.check()
        if found is None:
            return False
        self.files, self.problems = dict(found.themes), found.problems
        if self.kept is not None:
            self.kept = self.files.get(self.kept.name, self.kept)
        if self.worn is not None:
            self.wear(self.files.get(self.worn.name, self.worn))
        for problem in found.new:
            logger.warning("%s", problem)
        if found.new and not self.no_color:
            self._tell(found.new)
        return True

    def _tell(self, problems: Sequence[str]) -> None:
        more = f" (and {len(problems) - 1} more: ctrl+t)" if len(problems) > 1 else ""
        self.say(problems[0] + more, "warn")

    def say(self, text: str, tone: str) -> None:
        """A word in the bottom row of the screen in front."""
        if isinstance(self._app.screen, FleetScreen):
            self._app.screen.bottom.say(text, tone)
