"""Pages of people, accounts and keys."""

from django.urls import path

from accounts.views import email, entrance, joining, keys, members

urlpatterns = [
    path("sign-up/", entrance.sign_up, name="sign_up"),
    path("check-email/", entrance.check_email, name="check_email"),
    path("confirm/<str:token>/", entrance.confirm_email, name="confirm_email"),
    path("sign-in/", entrance.sign_in, name="sign_in"),
    path("sign-out/", entrance.sign_out, name="sign_out"),
    path("sign-out/everywhere/", joining.sign_out_everywhere, name="sign_out_everywhere"),
    path("invitation/<str:token>/", joining.invitation, name="invitation"),
    path("password-reset/", entrance.password_reset, name="password_reset"),
    path(
        "password-reset/<str:user>/<str:token>/",
        entrance.password_reset_confirm,
        name="password_reset_confirm",
    ),
    path("settings/account/email/", email.change_email, name="change_email"),
    path("new-email/<str:token>/", email.confirm_new_email, name="confirm_new_email"),
    path("settings/account/members/", members.member_list, name="members"),
    path("settings/account/members/leave/", members.leave_account, name="leave_account"),
    path("settings/account/members/<str:public_id>/", members.member_role, name="member"),
    path("settings/account/members/<str:public_id>/owner/", members.make_owner, name="make_owner"),
    path("settings/account/members/<str:public_id>/remove/", members.remove_member, name="remove_member"),
    path("settings/account/invitations/<str:public_id>/again/", members.invite_again, name="invite_again"),
    path(
        "settings/account/invitations/<str:public_id>/withdraw/",
        members.withdraw_invitation,
        name="withdraw_invitation",
    ),
    path("settings/api-keys/", keys.api_key_list, name="api_keys"),
    path("settings/api-keys/<str:key>/revoke/", keys.revoke_api_key, name="revoke_api_key"),
]
