"""The upload of self-hosted servers: any file is taken, an empty one too."""

from urllib.parse import quote
from uuid import UUID

from coze_async.emulator import _files
from coze_async.emulator._body import EmulatedResponse
from coze_async.emulator._form import ReceivedForm
from coze_async.emulator._wire import Refusal
from coze_async.emulator._world import RecordedRequest, World

from ._binding import is_json
from ._wire import bad_request


def upload(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /v1/files/upload."""
    form = request.body
    if not isinstance(form, ReceivedForm) and request.body is not None and not is_json(request):
        raise bad_request("'Data' field is a 'required' parameter, but the request does not have this parameter")
    files = [file for file in form.files if file.part == "file"] if isinstance(form, ReceivedForm) else []
    if not files:
        raise Refusal(104000005, "multipart form data read failed")
    file = files[0]
    if file.size > _files.MOST_OF_STUDIO:
        raise Refusal(4302, f"The file exceeds {_files.MOST_OF_STUDIO} bytes.")
    file_id = world.state.new_id()
    uri = f"bot_files/{UUID(int=int(file_id))}/{file.name}"
    row = {
        "uri": uri,
        "bytes": file.size,
        "CreatedAt": world.state.unix_time(),
        "file_name": file.name,
        "url": f"http://storage.emulator/{quote(uri)}?X-Amz-Signature=emulated",
        "id": file_id,
    }
    world.state.keep("file", row)
    return world.wire.succeed(row)
