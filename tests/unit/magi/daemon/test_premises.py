from magi.daemon.premises import read_again
from magi.desk.config import Config
from magi.desk.places import Places


def test_settings_are_read_again_and_nonsense_changes_nothing(tmp_path, caplog):
    places = Places.of("default", {"MAGI_HOME": str(tmp_path)})
    places.config.mkdir(parents=True)
    read = read_again(places, Config())
    places.settings.write_text('[responder]\ncommand = ["one"]\n')
    assert read().responder.command == ("one",)
    places.settings.write_text("[responder\n")
    assert read().responder.command == ("one",)
    assert "settings.unreadable" in caplog.text
    places.settings.write_text('[responder]\ncommand = ["two"]\n')
    assert read().responder.command == ("two",)
