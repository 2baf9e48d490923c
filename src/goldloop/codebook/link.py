"""The link from a task to its trace: the only HTML that goldloop writes into a task."""

from html import escape
from typing import Final
from urllib.parse import quote, urlsplit

_OF_A_URL: Final = "%/:?#[]@!$&()*+,;=~"
"""What may stay in an address besides letters, digits and `_.-`: no quote, no bracket of a tag, no white space."""


def link_to(url: str) -> str:
    """An anchor to an http or https address that opens in a new tab; "" for any other.

    Nothing of the address can end the attribute that it stands in: what belongs in no address is percent-encoded, and
    what is left is escaped. The page that opens gets no hold on the one that it was opened from.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return ""
    address = escape(quote(url, safe=_OF_A_URL), quote=True)
    return f'<a href="{address}" target="_blank" rel="noopener noreferrer">Open in Langfuse</a>'
