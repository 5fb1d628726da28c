"""What the roles of a CloudFormation template allow, by IAM's own rules as far as these templates use them.

Conditions are taken as met, so "cannot" here holds whatever the conditions say; explicit denials do not occur in roles.
"""

import fnmatch
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cfnlint.decode import cfn_yaml

ACCOUNT, REGION = "111122223333", "eu-west-1"
PSEUDO = {"AWS::Partition": "aws", "AWS::Region": REGION, "AWS::AccountId": ACCOUNT}


class Roles:
    """The roles of a template with the given parameters; `imports` are other stacks' exports by name."""

    def __init__(self, path: Path, parameters: Mapping[str, str], imports: Mapping[str, str]) -> None:
        self._template: Any = cfn_yaml.load(str(path))
        defaults = {name: str(given.get("Default", "")) for name, given in self._template["Parameters"].items()}
        self._values = {**PSEUDO, **defaults, **parameters}
        self._imports = imports

    def names(self) -> list[str]:
        """Logical names of the roles."""
        return [name for name, made in self._template["Resources"].items() if made["Type"] == "AWS::IAM::Role"]

    def allows(self, role: str, action: str, resource: str = "*") -> bool:
        """Whether some statement allows the action on the resource."""
        return any(
            any(_matches(pattern, action) for pattern in actions) and any(_matches(pattern, resource) for pattern in on)
            for actions, on in self.statements(role)
        )

    def statements(self, role: str) -> Iterator[tuple[list[str], list[str]]]:
        """Actions and resources of each statement of a role."""
        for statement in self.documents(role):
            yield _listed(statement["Action"]), _listed(statement["Resource"])

    def documents(self, role: str) -> Iterator[Mapping[str, Any]]:
        """Each statement of a role, as IAM gets it."""
        properties = self._template["Resources"][role]["Properties"]
        policies = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
        shared = [
            self._template["Resources"][reference["Ref"]] for reference in properties.get("ManagedPolicyArns", [])
        ]
        policies += [policy["Properties"]["PolicyDocument"] for policy in shared]
        for policy in policies:
            for given in policy["Statement"]:
                statement = self._resolve(given)
                if statement is not None:
                    assert statement["Effect"] == "Allow"
                    yield statement

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._resolve(item) for item in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((function, given),) = value.items()
            known = {
                "Ref": self._ref,
                "Fn::Sub": self._sub,
                "Fn::GetAtt": self._attribute,
                "Fn::If": self._if,
                "Fn::Select": self._select,
            }
            if function in known:
                return known[function](given)
            if function == "Fn::ImportValue":
                return self._imports[self._resolve(given)]
        return {name: self._resolve(item) for name, item in value.items()}

    def _ref(self, name: str) -> str | None:
        return None if name == "AWS::NoValue" else self._values[name]

    def _sub(self, given: Any) -> str:
        text, values = (given, {}) if isinstance(given, str) else (given[0], self._resolve(given[1]))
        known = {**self._values, **values}
        return re.sub(r"\$\{([^}!]+)\}", lambda found: known[found[1]], text).replace("${!", "${")

    def _attribute(self, given: Any) -> str:
        name = given[0] if isinstance(given, list) else given.split(".")[0]
        return f"arn:aws:iam::{ACCOUNT}:role/{name}"

    def _select(self, given: Any) -> str:
        number, split = given
        separator, text = split["Fn::Split"]
        return self._resolve(text).split(separator)[int(number)]

    def _if(self, given: Any) -> Any:
        name, then, otherwise = given
        return self._resolve(then if self._condition(self._template["Conditions"][name]) else otherwise)

    def _condition(self, given: Any) -> bool:
        ((function, operands),) = given.items()
        if function == "Fn::Not":
            return not self._condition(operands[0])
        first, second = (self._resolve(operand) for operand in operands)
        return first == second


def _matches(pattern: str, value: str) -> bool:
    return fnmatch.fnmatchcase(value.lower(), pattern.lower())


def _listed(value: Any) -> list[str]:
    return list(value) if isinstance(value, list) else [value]
