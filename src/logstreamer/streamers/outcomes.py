"""How a stream ended, for each of its targets."""

from __future__ import annotations

from logstreamer.apis.shareable import ReturnCode, Shareable


class Outcomes(dict[str, Shareable]):
    """The last reply of each target, by name: a stream's final result.

    It is falsy when it is empty or when any target failed, so that `if result:` keeps its meaning with several
    targets, while each target's own outcome can still be read.
    """

    def __bool__(self) -> bool:
        return len(self) > 0 and not self.failed

    @property
    def failed(self) -> dict[str, Shareable]:
        """The replies of the targets that failed."""
        return {
            target: reply for target, reply in self.items() if reply.get_return_code(ReturnCode.OK) != ReturnCode.OK
        }
