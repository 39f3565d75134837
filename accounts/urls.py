"""Pages of people, accounts and keys."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
