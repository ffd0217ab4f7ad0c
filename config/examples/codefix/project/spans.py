"""Spans of days: [first, last], both included."""


def merge(spans):
    """The same days in as few spans as possible, in order."""
    merged = []
    for first, last in sorted(spans):
        if merged and first <= merged[-1][1]:
            merged[-1][1] = last
        else:
            merged.append([first, last])
    return merged


def days(spans):
    """How many days the spans cover; a day counts once."""
    return sum(last - first for first, last in merge(spans))
