"""Every setting, one file, in sections. Environments differ by variables only; docs/settings.md lists them."""

import os
import secrets
from pathlib import Path
from urllib.parse import urlsplit

from gateway_project.database_settings import database_settings, is_postgresql
from gateway_project.env import Environment, SettingError, load_env_file, read_env_file
from gateway_project.redis_settings import redis_urls
from gateway_project.secrets_file import FILE_NAME, parse_ring, read_or_create_secrets
from gateway_project.unfold_settings import UNFOLD  # noqa: F401  (a setting of the admin site's theme)

BASE_DIR = Path(__file__).resolve().parent.parent
load_env_file(Path(os.environ.get("GATEWAY_ENV_FILE", BASE_DIR / ".env")))
ENV = Environment(os.environ)

# Where things run
ENV_FILE = ENV.text("GATEWAY_ENV_FILE", ".env")
GATEWAY_ENV = ENV.choice("GATEWAY_ENV", "dev", ("dev", "production"))
# Set by the supervisor for its children; other commands are "manage".
GATEWAY_ROLE = ENV.choice("GATEWAY_ROLE", "manage", ("manage", "admin", "proxy", "worker"))
GATEWAY_LOG_MODE = ENV.choice("GATEWAY_LOG_MODE", GATEWAY_ENV, ("dev", "production"))
GATEWAY_PRIVACY = ENV.choice("GATEWAY_PRIVACY", "strict", ("strict", "verbose"))
GATEWAY_SERVER = ENV.choice("GATEWAY_SERVER", "daphne", ("daphne", "uvicorn"))
VAR_DIR = (BASE_DIR / ENV.text("GATEWAY_VAR_DIR", "var")).absolute()
ADMIN_HOST = ENV.text("ADMIN_HOST", "127.0.0.1")
ADMIN_PORT = ENV.port("ADMIN_PORT", 8001)
PROXY_HOST = ENV.text("PROXY_HOST", "0.0.0.0")
PROXY_PORT = ENV.port("PROXY_PORT", 8002)
PROXY_WORKERS = ENV.integer("PROXY_WORKERS", 1, minimum=1, maximum=256)
# Of the fake provider that --demo starts.
DEMO_HOST = ENV.text("DEMO_HOST", "127.0.0.1")
DEMO_PORT = ENV.port("DEMO_PORT", 8003)
STOP_GRACE_S = ENV.duration_s("STOP_GRACE", "30s")
SERVICES_WAIT_S = ENV.duration_s("SERVICES_WAIT", "60s")
PUBLIC_URLS = ENV.origins("PUBLIC_URL")

# Database and Redis
DATABASES = {"default": database_settings(ENV, role=GATEWAY_ROLE, var_dir=VAR_DIR)}
ON_POSTGRESQL = is_postgresql(DATABASES["default"])
REDIS_URLS = redis_urls(ENV)
# For clients that know one server only. The supervisor puts the first that answers at the front, for its children.
REDIS_URL = REDIS_URLS[0] if REDIS_URLS else ""
REDIS_READ_TIMEOUT_S = ENV.duration_s("REDIS_READ_TIME_OUT", "1s")
REDIS_WRITE_TIMEOUT_S = ENV.duration_s("REDIS_WRITE_TIME_OUT", "500ms")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "gatehouse:cache",
        "OPTIONS": {
            "SOCKET_CONNECT_TIMEOUT": REDIS_WRITE_TIMEOUT_S,
            "SOCKET_TIMEOUT": REDIS_READ_TIMEOUT_S,
        },
    }
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}
# What routes have answered: the proxy keeps it in its own memory when there is no Redis.
CACHE_MAX_BYTES = ENV.integer("CACHE_MAX_BYTES", 64 * 1024 * 1024)
CACHE_MAX_ANSWER_BYTES = ENV.integer("CACHE_MAX_ANSWER_BYTES", 1024 * 1024)
CACHE_REDIS_MAX_BYTES = ENV.integer("CACHE_REDIS_MAX_BYTES", 1024 * 1024 * 1024, minimum=1024 * 1024)
if REDIS_URL:
    CACHES["answers"] = {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "gatehouse:answers",
        "OPTIONS": {
            "CONNECTION_FACTORY": "gateway_project.answer_cache.OwnConnections",
            "SERIALIZER": "gateway_project.answer_cache.AsBytes",
            "SOCKET_CONNECT_TIMEOUT": min(REDIS_WRITE_TIMEOUT_S, 0.25),
            "SOCKET_TIMEOUT": min(REDIS_READ_TIMEOUT_S, 0.25),
        },
    }

# Secrets: the environment's, else var/secrets.env, which an embedded installation writes itself
_kept = read_env_file(VAR_DIR / FILE_NAME) if ON_POSTGRESQL else read_or_create_secrets(VAR_DIR)
# Pairs of (id, 32 bytes), the current one first. Empty: nobody gave any (a system check says so).
KEY_PEPPERS = parse_ring(
    "GATEWAY_KEY_PEPPERS", ENV.secret("GATEWAY_KEY_PEPPERS") or _kept.get("GATEWAY_KEY_PEPPERS", "")
)
DATA_KEYS = parse_ring("GATEWAY_DATA_KEYS", ENV.secret("GATEWAY_DATA_KEYS") or _kept.get("GATEWAY_DATA_KEYS", ""))
_secret_key = ENV.secret("DJANGO_SECRET_KEY") or _kept.get("DJANGO_SECRET_KEY", "")
SECRETS_GIVEN = bool(KEY_PEPPERS and DATA_KEYS and _secret_key)
# One-off commands can do without a lasting key; the gateway itself refuses to start without.
SECRET_KEY = _secret_key or secrets.token_urlsafe(48)

# Admin listener
ADMIN_PASS = ENV.secret("ADMIN_PASS")
OPENAI_API_KEY = ENV.secret("OPENAI_API_KEY")
DEBUG = False
ALLOWED_HOSTS = [
    "localhost",
    "127.0.0.1",
    "[::1]",
    *ENV.words("ALLOWED_HOSTS"),
    *(parts.hostname for url in PUBLIC_URLS if (parts := urlsplit(url)).hostname),
]
CSRF_TRUSTED_ORIGINS = list(PUBLIC_URLS)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = bool(PUBLIC_URLS) and all(u.startswith("https:") for u in PUBLIC_URLS)
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

# Proxy listener
PROXY_TIMEOUT_S = ENV.duration_s("PROXY_TIMEOUT", "600s")
MAX_BODY_BYTES = ENV.integer("MAX_BODY_BYTES", 64 * 1024 * 1024, minimum=1024)
SLOW_SENDER_TIMEOUT_S = ENV.duration_s("SLOW_SENDER_TIMEOUT", "30s")
UPSTREAM_CONNECT_TIMEOUT_S = ENV.duration_s("UPSTREAM_CONNECT_TIMEOUT", "10s")
# Of a body that a key asks to keep with its events.
MAX_STORED_BODY_BYTES = ENV.integer("MAX_STORED_BODY_BYTES", 64 * 1024)
CORS_ALLOWED_ORIGINS = ENV.origins("CORS_ALLOWED_ORIGINS", "*")
ACCESS_LOG = ENV.flag("ACCESS_LOG", True)
REMOVE_USER_AGENT = ENV.flag("REMOVE_USER_AGENT", False)
CONFIG_POLL_S = min(0.25, ENV.duration_s("IN_MEMORY_DB_UPDATE_INTERVAL", "250ms"))
KEY_STALE_S = ENV.duration_s("KEY_STALE", "60s")
RESERVATION_LEASE_S = int(ENV.duration_s("RESERVATION_LEASE", "90s", minimum_s=2))

# Events
SPOOL_DIR = VAR_DIR / "spool"
SPOOL_FSYNC = ENV.flag("SPOOL_FSYNC", False)
EVENT_RETENTION_DAYS = ENV.integer("EVENT_RETENTION_DAYS", 365, minimum=1, maximum=36_500)

# How long a stopping worker goes on storing what is in the spools; the next start stores the rest.
FORWARDER_DRAIN_S = ENV.duration_s("FORWARDER_DRAIN", "10s")

# Celery
CELERY_BROKER_URL = (
    ENV.url("CELERY_BROKER_URL", schemes=("memory", "redis", "rediss", "amqp", "amqps", "pyamqp"))
    or ";".join(REDIS_URLS)
    or "memory://localhost/"
)
CELERY_WORKER_CONCURRENCY = ENV.integer("NUMBER_OF_EVENT_MESSAGE_CONSUMERS", 3, minimum=1, maximum=64)
# With workers on several machines one of them may do the clock's work.
WORKER_BEAT = ENV.flag("WORKER_BEAT", True)
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_RESULT_BACKEND = None
CELERY_BROKER_CONNECTION_RETRY = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = (
    {"visibility_timeout": 600, "global_keyprefix": "gatehouse:", "socket_timeout": 30, "socket_connect_timeout": 5}
    if CELERY_BROKER_URL.startswith("redis")
    else {"polling_interval": 0.1}
    if CELERY_BROKER_URL.startswith("memory")
    else {}
)
CELERY_TASK_DEFAULT_QUEUE = "gatehouse"
CELERY_TASK_PUBLISH_RETRY = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_TIMEZONE = "UTC"

# Metrics sent out, and clouds
STATS_PROVIDER = ENV.choice("STATS_PROVIDER", "", ("datadog",))
STATS_ADDRESS = ENV.text("STATS_ADDRESS", "127.0.0.1:8125")
AMAZON_REGION = ENV.text("AMAZON_REGION", "us-west-2")
AMAZON_REQUEST_TIMEOUT_S = ENV.duration_s("AMAZON_REQUEST_TIMEOUT", "5s")
AMAZON_CONNECTION_TIMEOUT_S = ENV.duration_s("AMAZON_CONNECTION_TIMEOUT", "10s")

# Django
USE_TZ = True
TIME_ZONE = "UTC"
ROOT_URLCONF = "gateway_project.urls"
LOGGING_CONFIG = None  # gateway_project.logs sets logging up for the roles
STATIC_URL = "/static/"
# The packages' own files are served as they lie: nothing has to be collected before the first start.
WHITENOISE_USE_FINDERS = True
WHITENOISE_MAX_AGE = 3600

# Proxy and worker have no pages: without these they start faster and stay smaller.
_PAGES = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]
INSTALLED_APPS = [
    *(_PAGES if GATEWAY_ROLE in {"manage", "admin"} else []),
    "gateway_project",
    "providers",
    "policies",
    "keys",
    "routes",
    "reporting",
    "proxy",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "gateway_project.content_security.admin_content_security",
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
            ]
        },
    }
]

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "UNAUTHENTICATED_USER": None,
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Gatehouse",
    "DESCRIPTION": "Keys, provider settings and reports of the gateway.",
    "VERSION": "0.1.0",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    # Swagger's files come with the gateway: no page loads anything from elsewhere.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}


AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

if STATS_PROVIDER and ":" not in STATS_ADDRESS:
    raise SettingError("STATS_ADDRESS must be host:port, such as 127.0.0.1:8125.")
