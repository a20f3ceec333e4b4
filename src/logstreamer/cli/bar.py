"""The bar of a progress that has an end."""

from __future__ import annotations

from logstreamer.cli.output import bytes_text, duration_text

LEAST, MOST = 8, 40
"""Letters of the bar."""

_PARTS = " ▏▎▍▌▋▊▉█"


def progress_text(done: int, total: int, rate: float) -> str:
    """Bytes, part, rate and time left, for a line of its own."""
    left = f", {duration_text((total - done) / rate)} left" if rate > 0 and total > done else ""
    share = f" ({100 * done // total}%)" if total else ""
    return f"{bytes_text(done)} of {bytes_text(total)}{share}, {bytes_text(rate)}/s{left}"


def progress_bar(done: int, total: int, rate: float, columns: int) -> str:
    """The same with a bar, in at most *columns* letters; without it where there is no room."""
    share = min(1.0, done / total) if total else 0.0
    left = f"  {duration_text((total - done) / rate)} left" if rate > 0 and total > done else ""
    numbers = f"  {bytes_text(done)} of {bytes_text(total)}  {bytes_text(rate)}/s{left}"
    room = min(MOST, columns - 1 - len(numbers) - len("100% ||"))
    if room < LEAST:
        return numbers.strip()[: columns - 1]
    eighths = int(share * room * 8)
    whole, part = divmod(eighths, 8)
    bar = _PARTS[8] * whole + (_PARTS[part] if whole < room else "")
    return f"{int(share * 100):3d}% ▕{bar.ljust(room)}▏{numbers}"
