"""`{% staff_home as facts %}` on the first page of admin."""

from django import template
from django.template import Context

from thinnest_billing import staff_home as home

register = template.Library()


@register.simple_tag(takes_context=True)
def staff_home(context: Context) -> list[home.Fact]:
    return home.facts_for(context["request"].user)
