"""Pages of people, accounts and keys."""

from django.urls import path

from accounts.views import account, entrance, keys

urlpatterns = [
    path("sign-up/", entrance.sign_up, name="sign_up"),
    path("check-email/", entrance.check_email, name="check_email"),
    path("confirm/<str:token>/", entrance.confirm_email, name="confirm_email"),
    path("sign-in/", entrance.sign_in, name="sign_in"),
    path("sign-out/", entrance.sign_out, name="sign_out"),
    path("password-reset/", entrance.password_reset, name="password_reset"),
    path(
        "password-reset/<str:user>/<str:token>/",
        entrance.password_reset_confirm,
        name="password_reset_confirm",
    ),
    path("settings/account/", account.account, name="account"),
    path("settings/account/password/", account.change_password, name="change_password"),
    path("settings/api-keys/", keys.api_key_list, name="api_keys"),
    path("settings/api-keys/<str:key>/revoke/", keys.revoke_api_key, name="revoke_api_key"),
]
