"""Failures: what really went wrong when a request did."""


def cause_of(error: Exception) -> BaseException:
    """The first of the failures that Agent collects, or the error itself."""
    reasons = getattr(error, "reasons", None)
    found: BaseException = reasons[0].value if reasons else error
    return found
