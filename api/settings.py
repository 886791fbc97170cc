"""How one coordinator is run, from the environment (``SECURE_CLOVE_...``) or the command line."""

from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

HexKey = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Settings(BaseSettings):
    """Settings of a coordinator.

    Attributes:
        operator_key: Ed25519 public key of the operator, 64 hex digits. Its secret half founds and
            starts federations and never comes here.
        data_dir: Folder of the database and the artefacts; None keeps everything in memory, for
            tests.
        host: Address to listen on.
        port: TCP port to listen on.
        max_body_bytes: Most bytes of any request body; protocol messages have tighter limits.
    """

    model_config = SettingsConfigDict(env_prefix="SECURE_CLOVE_", frozen=True)

    operator_key: HexKey
    data_dir: Path | None = Path("clove-data")
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8421
    max_body_bytes: Annotated[int, Field(ge=4096)] = 256 * 2**20
