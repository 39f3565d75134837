"""Settings, read from the environment; .env.example names and explains each."""

from decimal import Decimal
from email.utils import parseaddr
from pathlib import Path

from thinnest_billing.environment import Environment

BASE_DIR = Path(__file__).resolve().parent.parent
env = Environment()
env.read_env(env.str("ENV_FILE", default=str(BASE_DIR / ".env")))

# --- Where and how it runs ---------------------------------------------------------------------------------
DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])  # former keys, while they are rotated
SITE_URL = env.url_of("SITE_URL", "http", "https", default="http://127.0.0.1:8000").rstrip("/")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = [SITE_URL] if SITE_URL.startswith("https://") else []
ROOT_URLCONF = "thinnest_billing.urls"
WSGI_APPLICATION = "thinnest_billing.wsgi.application"

INSTALLED_APPS = [
    "accounts",
    "billing",
    "usage",
    "alerts",
    "thinnest_billing",
    "thinnest_billing.staff.apps.StaffAdminConfig",  # django.contrib.admin
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
]

MIDDLEWARE = [
    "thinnest_billing.metrics.measuring.measure",
    "accounts.middleware.request_id",
    "accounts.middleware.plain_cookies",
    "django.middleware.security.SecurityMiddleware",
    "thinnest_billing.csp.content_security_policy",
    "accounts.middleware.api",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "accounts.middleware.unshared",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "thinnest_billing.frame.frame",
            ],
            "builtins": ["accounts.templatetags.ui", "billing.templatetags.money"],
        },
    }
]

# --- Data -------------------------------------------------------------------------------------------------
DATABASES = {"default": env.db("DATABASE_URL")}
DATABASES["default"] |= {"CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True, "ATOMIC_REQUESTS": False}
# PgBouncer in transaction mode must work: no server-side cursors, no session state.
DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"] = True
ADMIN_PATH = env.str("ADMIN_PATH", default="admin/")  # relative, with its closing slash
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = env.url_of("REDIS_URL", "redis", "rediss", "unix")
REDIS_TIMEOUT = 0.3  # seconds; everything that speaks to Redis inside a request fails open after it
# Celery's name for the same server; the two spell a unix socket and its database differently.
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host=")

# --- People -----------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.backends.EmailBackend"]
LOGIN_URL = "sign_in"
LOGIN_REDIRECT_URL = "overview"
LOGOUT_REDIRECT_URL = "sign_in"
PASSWORD_RESET_TIMEOUT = 60 * 60 * 24
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 60 * 60 * 24 * 14
STAFF_SESSION_HOURS = env.int("STAFF_SESSION_HOURS", default=8)  # in admin, from signing in
STAFF_IDLE_MINUTES = env.int("STAFF_IDLE_MINUTES", default=30)  # without opening a page of admin

# --- Security ---------------------------------------------------------------------------------------------
HTTPS = SITE_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = HTTPS and env.bool("SSL_REDIRECT", default=True)
SECURE_REDIRECT_EXEMPT = ["^healthz$", "^readyz$", "^metrics$"]  # asked from inside, in plain HTTP
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_PROXY", default=False) else None
)
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SECURE_CSP = {
    "default-src": ["'none'"],
    "script-src": ["'self'"],
    "style-src": ["'self'"],
    "img-src": ["'self'", "data:"],
    "font-src": ["'self'"],
    "connect-src": ["'self'"],
    "form-action": ["'self'"],
    "base-uri": ["'none'"],
    "frame-ancestors": ["'none'"],
}

# --- Language, time, files --------------------------------------------------------------------------------
LANGUAGE_CODE = "en-us"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "/static/"
STATIC_ROOT = env.path("STATIC_ROOT", default=str(BASE_DIR / "staticfiles"))
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "thinnest_billing.static_files.StaticFiles"},
}
DATA_UPLOAD_MAX_MEMORY_SIZE = (
    2_500_000  # the largest API body (a batch) is 2 MB; smaller limits are per endpoint
)

# --- Mail -------------------------------------------------------------------------------------------------
EMAIL_URL = env.str("EMAIL_URL", default="")
if EMAIL_URL:
    vars().update(env.email_url("EMAIL_URL"))
EMAIL_TIMEOUT = 10  # seconds
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="thinnest billing <billing@localhost>")

# --- Payments ---------------------------------------------------------------------------------------------
STRIPE_SECRET_KEY = env.str("STRIPE_SECRET_KEY", default="")
STRIPE_WEBHOOK_SECRET = [secret.strip() for secret in env.list("STRIPE_WEBHOOK_SECRET", default=[])]
STRIPE_API_BASE = env.url_of("STRIPE_API_BASE", "http", "https", default="https://api.stripe.com").rstrip("/")
SANDBOX_ALLOW_PUBLIC = env.bool("SANDBOX_ALLOW_PUBLIC", default=False)
TOPUP_MIN = env.dollars("TOPUP_MIN", default=Decimal("5.00"))  # dollars
TOPUP_MAX = env.dollars("TOPUP_MAX", default=Decimal("1000.00"))  # dollars
AUTO_TOPUP_MONTHLY_LIMIT = env.dollars(
    "AUTO_TOPUP_MONTHLY_LIMIT", default=Decimal("500.00")
)  # until its owner says
AUTO_TOPUPS_PER_DAY = env.int("AUTO_TOPUPS_PER_DAY", default=5)  # in any 24 hours
TRIAL_GRANT = env.dollars("TRIAL_GRANT", default=Decimal("1.00"))  # dollars, once per address
STAFF_DAILY_LIMIT = env.dollars("STAFF_DAILY_LIMIT", default=Decimal("100.00"))  # dollars, a day and person
# Printed on receipts as who was paid.
SELLER_NAME = env.str("SELLER_NAME", default="thinnest")
SELLER_ADDRESS = env.str("SELLER_ADDRESS", default="", multiline=True)  # lines, parted by \n
SELLER_TAX_ID = env.str("SELLER_TAX_ID", default="")

# --- Support ----------------------------------------------------------------------------------------------
SUPPORT_EMAIL = env.str("SUPPORT_EMAIL", default=parseaddr(DEFAULT_FROM_EMAIL)[1])  # whom "write to us" means
FLAG_ANSWER_DAYS = env.int("FLAG_ANSWER_DAYS", default=2)  # working days; what members are promised

# --- What is forgotten, and when ---------------------------------------------------------------------------
KEEP_MAIL_DAYS = env.int("KEEP_MAIL_DAYS", default=90)  # sent letters
KEEP_DELIVERIES_DAYS = env.int("KEEP_DELIVERIES_DAYS", default=30)  # webhooks that were delivered or given up

# --- Limits of the API (2-api has the table) ----------------------------------------------------------------
RATE_ACCOUNT_KEY = env.int("RATE_ACCOUNT_KEY", default=600)  # requests a minute
RATE_PLATFORM_KEY = env.int("RATE_PLATFORM_KEY", default=60_000)
TOPUPS_PER_HOUR = env.int("TOPUPS_PER_HOUR", default=10)
DECLINES_PER_HOUR = env.int("DECLINES_PER_HOUR", default=5)
LIMIT_TOKENS = 10_000_000
LIMIT_SECONDS = 86_400
LIMIT_PAGES = 100_000
LIMIT_RETRIEVAL = 1_000
LIMIT_BODY = 64 * 1024
LIMIT_BATCH_BODY = 2 * 1024 * 1024
LIMIT_BATCH_EVENTS = 1_000
LIMIT_AGENTS = 1_000

# --- Alerts -----------------------------------------------------------------------------------------------
FIRST_ALERT_BELOW = env.dollars("FIRST_ALERT_BELOW", default=Decimal("0.20"))  # dollars, of every new account
ALERT_MAX = Decimal(1_000_000)  # dollars
LIMIT_RULES = 50  # an account

# --- Webhooks to the platform -------------------------------------------------------------------------------
WEBHOOK_ALLOW_PRIVATE = env.bool("WEBHOOK_ALLOW_PRIVATE", default=False)  # endpoints in our own network

# --- Metrics ----------------------------------------------------------------------------------------------
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")  # what Prometheus sends; without it there is no /metrics

# --- Logs -------------------------------------------------------------------------------------------------
LOG_FORMAT = env.choice("LOG_FORMAT", "json", "plain", default="plain" if DEBUG else "json")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request_id": {"()": "accounts.logs.RequestIdFilter"}},
    "formatters": {
        "json": {"()": "accounts.logs.JsonFormatter"},
        "plain": {"format": "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s"},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "filters": ["request_id"],
            "formatter": LOG_FORMAT,
        }
    },
    "root": {
        "handlers": ["console"],
        "level": env.choice("LOG_LEVEL", "DEBUG", "INFO", "WARNING", "ERROR", default="INFO"),
    },
    "loggers": {"django": {"handlers": ["console"], "level": "WARNING", "propagate": False}},
}
