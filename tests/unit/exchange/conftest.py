"""Two nodes on one store in memory, whose clock a test moves."""

import pytest

from exchange.storage.memory.state import Memory
from tests.harness.world import Place, Time


@pytest.fixture
def memory() -> Memory:
    return Memory(Time())


@pytest.fixture
async def here(memory) -> Place:
    return await Place(memory, "here").start()


@pytest.fixture
async def there(memory) -> Place:
    return await Place(memory, "there").start()
