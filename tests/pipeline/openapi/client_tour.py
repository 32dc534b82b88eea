"""What a user does with the clients that were made from the documents: run by test_openapi.py, with both on the path.

    client_tour.py COMMAND-API QUERY-API        their addresses"""

import json
import sys
import time

import odradek_commands
import odradek_queries
from odradek_commands.exceptions import ApiException

HOLD = "wait=30"


def visible(ask, version, id):
    """query-api shows it a moment after it is decided."""
    deadline = time.monotonic() + 60
    while True:
        try:
            found = ask(id)
            if found.version >= version:
                return found
        except odradek_queries.exceptions.NotFoundException:
            pass
        assert time.monotonic() < deadline, f"{id} is not there"
        time.sleep(0.05)


def refused(call):
    """The problem that it is refused with, as the client's own class."""
    try:
        call()
    except ApiException as error:
        return error.status, error.data
    raise AssertionError("it is not refused")


def main(commands_at, queries_at):
    commands = odradek_commands.ApiClient(odradek_commands.Configuration(host=commands_at))
    queries = odradek_queries.ApiClient(odradek_queries.Configuration(host=queries_at))
    entries, entry_views = odradek_commands.EntryApi(commands), odradek_queries.EntryApi(queries)
    books, book_views = odradek_commands.BookApi(commands), odradek_queries.BookApi(queries)

    # creates, with and without waiting for the outcome
    taken = entries.create_entry(odradek_commands.CreateEntryRequest(odradek_commands.Entry(title="One")))
    assert type(taken).__name__ == "Acknowledgement" and taken.type == "createEntry", taken
    visible(entry_views.get_entry, 1, taken.id)
    status = odradek_commands.CommandsApi(commands).command_status(taken.command_id)
    assert (status.status, status.id, status.version) == ("accepted", taken.id, 1), status
    done = entries.create_entry(odradek_commands.CreateEntryRequest(odradek_commands.Entry(title="Two")), prefer=HOLD)
    assert type(done).__name__ == "Outcome" and done.version == 1, done

    # updates: all of it, a part of it, and not what somebody else changed meanwhile
    assert entries.put_entry(done.id, odradek_commands.Entry(title="Three"), if_match='"1"', prefer=HOLD).version == 2
    assert entries.patch_entry(done.id, {"description": "d"}, prefer=HOLD).version == 3
    status, problem = refused(lambda: entries.put_entry(done.id, odradek_commands.Entry(title="x"), if_match='"1"', prefer=HOLD))
    assert status == 412 and problem.type == "/problems/version-mismatch" and problem.version == 3, problem
    status, problem = refused(lambda: entries.delete_entry("nobody", prefer=HOLD))
    assert status == 404 and problem.type == "/problems/not-found", problem

    # reads: now, the history, a list
    found = visible(entry_views.get_entry, 3, done.id)
    assert found.type == "Entry" and (found.data.title, found.data.description) == ("Three", "d"), found
    events = entry_views.history_entry(done.id, limit=2)
    assert [event.type for event in events.items] == ["entryCreated", "entryUpdated"] and events.next == 2, events
    assert events.items[0].body.title == "Two" and events.items[0].meta.command == done.command_id
    page = entry_views.list_entry(limit=1, order="desc")
    assert len(page.items) == 1 and page.next, page

    # data of a schema with references of every kind
    book = odradek_commands.Book.from_dict({
        "title": "The Trial", "price": {"value": 14.95, "currency": "EUR"}, "publisher": {"name": "Die Schmiede"},
        "chapters": [{"heading": "Arrest", "chapters": [{"heading": "Morning"}]}], "sequel": {"title": "The Castle"}})
    done = books.create_book(odradek_commands.CreateBookRequest(book), prefer=HOLD)
    data = visible(book_views.get_book, 1, done.id).data
    assert data.price.value == 14.95 and data.chapters[0].chapters[0].heading == "Morning"
    assert data.publisher.name == "Die Schmiede" and data.sequel.title == "The Castle"

    # streams: all events of the type from the first on, as they come
    stream = entry_views.events_entry_without_preload_content(var_from="beginning", _headers={"Accept": "text/event-stream"})
    streamed = []
    for line in stream:
        if line.startswith(b"data: "):
            streamed.append(json.loads(line[6:]))
        if len(streamed) == 4:
            break
    stream.close()
    assert sorted(event["type"] for event in streamed) == ["entryCreated", "entryCreated", "entryUpdated", "entryUpdated"], streamed

    # deletes
    books.delete_book(done.id, prefer=HOLD)
    print("toured")


if __name__ == "__main__":
    main(*sys.argv[1:])
