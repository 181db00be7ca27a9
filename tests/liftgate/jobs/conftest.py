"""A flag that writes expected files anew, so that a changed manifest is always a decision."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rebuild-expected", action="store_true", help="write the .expected files anew")


@pytest.fixture
def rebuild_expected(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--rebuild-expected", default=False))
