"""The design system's own tags: icons, bars, moments. Built into every template (settings.TEMPLATES)."""

import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django import template
from django.conf import settings
from django.utils import timezone as clock
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

register = template.Library()
GAP = Decimal("0.35")  # between the parts of a bar, in percent
AFTER_MONTHS = 300  # days after which a moment needs its year


@cache
def drawings() -> dict[str, SafeString]:
    """The shapes of templates/icons.svg by name. In the page itself they cost no request and never pop in."""
    sprite = (Path(settings.BASE_DIR) / "templates" / "icons.svg").read_text()
    found = re.findall(r'<symbol id="([a-z0-9-]+)"[^>]*>(.*?)</symbol>', sprite)
    return {name: mark_safe(shapes) for name, shapes in found}  # our own file


@register.simple_tag
def icon(name: str, extra: str = "") -> SafeString:
    """A decoration beside words: hidden from screen readers. `extra` is a CSS class."""
    classes = f"i {extra}" if extra else "i"
    return format_html(
        '<svg class="{}" viewBox="0 0 24 24" aria-hidden="true">{}</svg>', classes, drawings()[name]
    )


@register.simple_tag
def bar(rows: Sequence[Any], extra: str = "") -> SafeString:
    """One bar in parts: each row has `total` (a Decimal) and `slug` (chat, voice, knowledge or none)."""
    whole = sum((row.total for row in rows), Decimal(0)) or Decimal(1)
    start, rects = Decimal(0), []
    for row in rows:
        width = 100 * row.total / whole
        gap = GAP if start + width < 100 else Decimal(0)
        rects.append((f"{start:.2f}", f"{max(width - gap, Decimal(0)):.2f}", row.slug or "none"))
        start += width
    parts = format_html_join("", '<rect x="{}%" width="{}%" height="100%" class="{}"/>', rects)
    return format_html('<svg class="bar {}" aria-hidden="true">{}</svg>', extra, parts)


@register.simple_tag
def onebar(percent: Decimal | int) -> SafeString:
    """A share of one hundred, as a bar."""
    return format_html(
        '<svg class="bar" aria-hidden="true"><rect width="{}%" height="100%" rx="3"/></svg>', percent
    )


@register.filter
def moment(at: datetime, timezone: str) -> str:
    """`18 Mar, 15:42` where the account is; with its year when that is not obvious."""
    local = at.astimezone(ZoneInfo(timezone))
    year = f" {local.year}" if abs((clock.now() - at).days) > AFTER_MONTHS else ""
    return f"{local.day} {local:%b}{year}, {local:%H:%M}"


@register.filter
def note_kind(level: str) -> str:
    """The look of a message of django.contrib.messages."""
    return {"success": "ok", "warning": "warn", "error": "bad"}.get(level, "info")


@register.filter
def note_icon(level: str) -> str:
    return {"success": "circle-check", "warning": "triangle-alert", "error": "circle-alert"}.get(
        level, "info"
    )
