"""What holds for all fields that a person writes into YAML."""

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

_NUMBERS: tuple[object, ...] = (int, float, int | None)


class WrittenFields(BaseModel):
    """Fields of which unknown ones are refused, infinite numbers, and yes or no where a number belongs."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _number_is_no_truth(cls, value: object, info: ValidationInfo) -> object:
        if isinstance(value, bool) and cls.model_fields[str(info.field_name)].annotation in _NUMBERS:
            raise ValueError("a number belongs here; yes, no, on and off are true and false in YAML")
        return value
