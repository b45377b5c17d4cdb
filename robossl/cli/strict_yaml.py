"""YAML as presets and profiles have it: plain values, and no key twice, since nobody could say which one was meant."""

from typing import Any

import yaml
from yaml.constructor import ConstructorError

from robossl.core import UserError


def load_yaml(text: str, *, file: str) -> Any:
    """Reads plain values.

    Raises:
        UserError: in one line, naming the file.
    """
    try:
        return yaml.load(text, _UniqueKeys)
    except yaml.YAMLError as error:
        raise UserError(f"{file}: not valid YAML: {' '.join(str(error).split())}") from error


class _UniqueKeys(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                raise ConstructorError(None, None, f"key {key.value!r} stands there twice", key.start_mark)
            seen.add(key.value)
        return dict(super().construct_mapping(node, deep))
