"""`{% staff_home as facts %}` and `{% staff_acts_of user as acts %}` on the first page of admin."""

from django import template
from django.db.models import QuerySet
from django.template import Context

from accounts.models import StaffAct, User
from thinnest_billing.staff import home

register = template.Library()


@register.simple_tag(takes_context=True)
def staff_home(context: Context) -> list[home.Fact]:
    return home.facts_for(context["request"].user)


@register.simple_tag
def staff_acts_of(user: User) -> QuerySet[StaffAct]:
    """The newest ten."""
    return StaffAct.objects.filter(staff=user).order_by("-id")[:10]
