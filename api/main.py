"""The application for ``uvicorn --no-server-header api.main:app``, set up by the environment."""

from api.app import create_app
from api.settings import Settings

app = create_app(Settings.model_validate({}))
