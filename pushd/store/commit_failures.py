"""What the log says of commits that fail, and that they succeed again."""

from attrs import define, field
from twisted.logger import Logger


@define(eq=False)
class CommitFailures:
    """Logs once that commits fail, as on a full disk, and once that they succeed again."""

    are_logged: bool = field(default=False, init=False)
    _log = Logger()

    def failed(self, error: Exception) -> None:
        """A transaction could not be committed."""
        if not self.are_logged:
            self.are_logged = True
            self._log.error(
                "Unable to write to the database: {error}; requests that must be stored get 503 until it can be"
                " written again",
                error=str(error),
            )

    def succeeded(self) -> None:
        """A transaction that changed something was committed."""
        if self.are_logged:
            self.are_logged = False
            self._log.info("The database can be written again")
