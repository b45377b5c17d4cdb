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
    except (yaml.YAMLError, ValueError) as error:  # an integer of thousands of digits is none that Python reads
        raise UserError(f"{file}: not valid YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise UserError(f"{file}: nested too deeply") from error


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

    def construct_number(self, node: yaml.ScalarNode) -> int | float:
        """Reads numbers as they are written; YAML 1.1 takes 10:00 for 600, by base 60."""
        if ":" in node.value:
            raise ConstructorError(None, None, f"{node.value} is no number; text stands in quotes", node.start_mark)
        is_whole = node.tag.endswith(":int")
        number: int | float = self.construct_yaml_int(node) if is_whole else self.construct_yaml_float(node)
        return number


for _kind in ("int", "float"):
    _UniqueKeys.add_constructor(f"tag:yaml.org,2002:{_kind}", _UniqueKeys.construct_number)
