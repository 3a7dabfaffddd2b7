from tests.gateway_project.servers.server_contract import ServerContract

KIND = "uvicorn"


class TestUvicorn(ServerContract):
    """Nothing beyond the contract: bodies are streamed, so the application limits them."""
