"""What the emulated service says with a code where nobody has written other words."""

# The words are our own; the codes and what they mean: coze.cn page coze_error_codes, and the official chat SDK.
_REASONS = {
    4000: "Request parameter error.",
    4001: "The conversation does not exist.",
    4002: "The chat does not exist.",
    4003: "meta_data exceeds its limits.",
    4004: "additional_messages exceeds its limits.",
    4005: "The message does not exist.",
    4006: "The message does not exist.",
    4008: "The daily quota of this bot is used up.",
    4009: "Too many users at the moment.",
    4010: "The prompt exceeds the token limit of the model.",
    4011: "The token balance of this account is not sufficient.",
    4012: "The model is not valid.",
    4013: "The request rate or the number of requests at once exceeds the limit.",
    4014: "The bot cannot answer.",
    4015: "The bot has not been published to the channel Agent As API.",
    4016: "The conversation is occupied: another chat runs in it.",
    4019: "The account is overdue.",
    4020: "The request rate or the number of requests at once of the model exceeds the limit.",
    4027: "The account is overdue.",
    4028: "The free quota or the credits of this account are used up.",
    4100: "authentication is invalid",
    4101: "The token lacks the permission for this resource.",
    4102: "The text did not pass the content review.",
    4104: "The chat cannot be canceled in its state.",
    4200: "The resource does not exist.",
    4300: "The uploaded file is empty.",
    4301: "Only one file can be uploaded at a time.",
    4302: "The file is too large.",
    4303: "The format of the file is not supported.",
    4304: "The file is broken.",
    5000: "internal server error",
    6003: "Runs in the background are not part of this plan.",
}


def reason(code: int) -> str:
    """What the service says with this code."""
    return _REASONS.get(code, "Something went wrong.")
