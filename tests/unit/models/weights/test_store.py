import hashlib
import http.server
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from models.weights.store import CATALOGUE, locate_weights
from pipeline.core.errors import WeightsError

CONTENT = b"the numbers of a network"
OTHER = b"numbers of a network, as"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "passerby"


@pytest.fixture
def weights_dir(tmp_path: Path) -> Path:
    (tmp_path / "weights").mkdir()
    return tmp_path / "weights"


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    return write_catalogue(tmp_path / "weights.yaml")


@pytest.fixture(scope="module")
def https_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serves CONTENT as good.onnx and OTHER as bad.onnx, and redirects /insecure to http."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    folder = tmp_path_factory.mktemp("https")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command += ["-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/insecure":
                self.send_response(302)
                self.send_header("Location", "http://localhost:1/good.onnx")
                self.end_headers()
                return
            if self.path == "/broken.onnx":
                begin = int(self.headers.get("Range", "bytes=0-")[len("bytes=") : -1])
                self.send_response(206 if begin else 200)
                self.send_header("Content-Length", str(len(CONTENT) - begin))
                self.end_headers()
                self.wfile.write(CONTENT[begin:] if begin else CONTENT[:10])
                return
            body = {"/good.onnx": CONTENT, "/bad.onnx": OTHER, "/endless.onnx": CONTENT * 1000}.get(self.path)
            self.send_response(404 if body is None else 200)
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(folder / "cert.pem"))
        yield f"https://localhost:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def write_catalogue(path: Path, url: str | None = None, companions: tuple[str, ...] = ()) -> Path:
    entry = {"url": url, "sha256": SHA256, "size": len(CONTENT), "licence": "MIT"}
    known = {"net.onnx": {**entry, "companions": list(companions)}, "net.bin": entry}
    path.write_text(yaml.safe_dump(known))
    return path


def write(path: Path, content: bytes = CONTENT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_a_known_name_is_found_in_the_weights_folder(weights_dir: Path, catalogue: Path) -> None:
    path = write(weights_dir / "net.onnx")
    assert locate_weights("net.onnx", weights_dir=weights_dir, catalogue=catalogue) == path


def test_the_weights_folder_goes_before_the_cache(weights_dir: Path, cache: Path, catalogue: Path) -> None:
    cached = write(cache / "net.onnx")
    assert locate_weights("net.onnx", weights_dir=weights_dir, catalogue=catalogue) == cached
    first = write(weights_dir / "net.onnx")
    assert locate_weights("net.onnx", weights_dir=weights_dir, catalogue=catalogue) == first


def test_no_weights_folder_is_needed(cache: Path, catalogue: Path) -> None:
    cached = write(cache / "net.onnx")
    assert locate_weights("net.onnx", weights_dir=None, catalogue=catalogue) == cached


def test_an_altered_file_is_refused_with_both_digests(weights_dir: Path, catalogue: Path) -> None:
    write(weights_dir / "net.onnx", OTHER)
    with pytest.raises(WeightsError) as caught:
        locate_weights("net.onnx", weights_dir=weights_dir, catalogue=catalogue)
    for part in (str(weights_dir / "net.onnx"), SHA256, hashlib.sha256(OTHER).hexdigest(), "delete it"):
        assert part in str(caught.value)


def test_the_configuration_may_state_another_digest(weights_dir: Path, catalogue: Path) -> None:
    path = write(weights_dir / "net.onnx", OTHER)
    sha256 = hashlib.sha256(OTHER).hexdigest().upper()
    assert locate_weights("net.onnx", weights_dir=weights_dir, sha256=sha256, catalogue=catalogue) == path


def test_absent_weights_name_every_place(weights_dir: Path, cache: Path, catalogue: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        locate_weights("net.onnx", weights_dir=weights_dir, catalogue=catalogue)
    for folder in (weights_dir, CATALOGUE.parent, cache):
        assert str(folder / "net.onnx") in str(caught.value)
    assert "put the file there" in str(caught.value)


def test_an_unknown_name_is_refused(weights_dir: Path, catalogue: Path) -> None:
    with pytest.raises(WeightsError, match=r"own\.onnx: .* not in models/weights/catalogue\.yaml"):
        locate_weights("own.onnx", weights_dir=weights_dir, catalogue=catalogue)


@pytest.mark.parametrize("as_path", [True, False], ids=["by path", "by name in the weights folder"])
def test_a_file_of_ones_own_needs_no_entry(weights_dir: Path, catalogue: Path, as_path: bool) -> None:
    path = write(weights_dir / "own.onnx", OTHER)
    name = str(path) if as_path else "own.onnx"
    assert locate_weights(name, weights_dir=weights_dir, catalogue=catalogue) == path


def test_a_file_of_ones_own_is_checked_if_its_digest_is_stated(weights_dir: Path, catalogue: Path) -> None:
    path = write(weights_dir / "own.onnx", OTHER)
    with pytest.raises(WeightsError, match=SHA256):
        locate_weights(str(path), weights_dir=None, sha256=SHA256, catalogue=catalogue)


def test_a_folder_is_no_checkpoint(weights_dir: Path, catalogue: Path) -> None:
    with pytest.raises(WeightsError):
        locate_weights(str(weights_dir), weights_dir=None, catalogue=catalogue)


@pytest.mark.parametrize("suffix", ["pt", "pth", "PT", "ckpt", "pkl"])
def test_a_pickle_needs_its_digest(weights_dir: Path, catalogue: Path, suffix: str) -> None:
    path = write(weights_dir / f"own.{suffix}")
    with pytest.raises(WeightsError, match="sha256 in the configuration"):
        locate_weights(str(path), weights_dir=None, catalogue=catalogue)
    assert locate_weights(str(path), weights_dir=None, sha256=SHA256, catalogue=catalogue) == path


def test_a_companion_must_lie_beside_its_file(weights_dir: Path, tmp_path: Path) -> None:
    catalogue = write_catalogue(tmp_path / "weights.yaml", companions=("net.bin",))
    write(weights_dir / "net.onnx")
    with pytest.raises(WeightsError, match=r"net\.bin: expected beside"):
        locate_weights("net.onnx", weights_dir=weights_dir, catalogue=catalogue)
    write(weights_dir / "net.bin", OTHER)
    with pytest.raises(WeightsError, match=r"net\.bin: expected sha256"):
        locate_weights("net.onnx", weights_dir=weights_dir, catalogue=catalogue)
    write(weights_dir / "net.bin")
    assert locate_weights("net.onnx", weights_dir=weights_dir, catalogue=catalogue)


def test_what_is_missing_is_downloaded_once(https_server: str, cache: Path, tmp_path: Path) -> None:
    catalogue = write_catalogue(tmp_path / "weights.yaml", f"{https_server}/good.onnx", ("net.bin",))
    path = locate_weights("net.onnx", weights_dir=tmp_path / "nowhere", catalogue=catalogue)
    assert path == cache / "net.onnx"
    assert sorted(file.name for file in cache.iterdir()) == ["net.bin", "net.onnx"]
    assert path.read_bytes() == CONTENT
    write_catalogue(catalogue, "https://localhost:1/gone.onnx")
    assert locate_weights("net.onnx", weights_dir=None, catalogue=catalogue) == path


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("/bad.onnx", "expected sha256"),
        ("/endless.onnx", "got more"),
        ("/absent.onnx", "404"),
        ("/insecure", "expected https"),
    ],
)
def test_a_failed_download_says_why_and_leaves_nothing(
    https_server: str, cache: Path, tmp_path: Path, address: str, reason: str
) -> None:
    catalogue = write_catalogue(tmp_path / "weights.yaml", https_server + address)
    with pytest.raises(WeightsError, match=reason) as caught:
        locate_weights("net.onnx", weights_dir=None, catalogue=catalogue)
    assert "put the file there" in str(caught.value)
    assert list(cache.iterdir()) == []


def test_an_address_without_encryption_is_refused(tmp_path: Path) -> None:
    catalogue = write_catalogue(tmp_path / "weights.yaml", "http://localhost:1/good.onnx")
    with pytest.raises(WeightsError, match="expected https"):
        locate_weights("net.onnx", weights_dir=None, catalogue=catalogue)


def test_a_server_that_is_not_there_is_a_weights_error(tmp_path: Path) -> None:
    catalogue = write_catalogue(tmp_path / "weights.yaml", "https://localhost:1/good.onnx")
    with pytest.raises(WeightsError, match=r"https://localhost:1/good\.onnx failed"):
        locate_weights("net.onnx", weights_dir=None, catalogue=catalogue)


def test_a_cache_that_cannot_be_written_is_a_weights_error(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")
    catalogue = write_catalogue(tmp_path / "weights.yaml", "https://localhost:1/good.onnx")
    with pytest.raises(WeightsError, match=r"the cache cannot be written.*set PASSERBY_CACHE"):
        locate_weights("net.onnx", weights_dir=None, catalogue=catalogue)


def test_every_entry_of_the_catalogue_is_complete() -> None:
    known = yaml.safe_load(CATALOGUE.read_text())
    for name, entry in known.items():
        assert set(entry) - {"companions", "also", "note", "page", "instead"} == {"url", "sha256", "size", "licence"}, (
            name
        )
        if entry["sha256"] is None:
            assert (entry["url"], entry["page"]) == (None, entry["page"]), name
            continue
        for digest in (entry["sha256"], *entry.get("also", ())):
            assert len(bytes.fromhex(digest)) == 32, name
        for companion in entry.get("companions", ()):
            assert len(known[companion].get("also", ())) == len(entry.get("also", ())), "a revision is a whole one"
        assert entry["size"] > 0, name
        assert entry["url"] is None or entry["url"].startswith("https://"), name
        assert set(entry.get("companions", ())) <= set(known), name


@pytest.mark.shared
@pytest.mark.parametrize("name", sorted(yaml.safe_load(CATALOGUE.read_text())))
def test_the_catalogue_describes_the_files_at_hand(shared: Path, name: str) -> None:
    entry = yaml.safe_load(CATALOGUE.read_text())[name]
    try:
        path = locate_weights(name, weights_dir=shared / "models")
    except WeightsError as error:
        pytest.skip(str(error))
    if hashlib.sha256(path.read_bytes()).hexdigest() == entry["sha256"]:
        assert path.stat().st_size == entry["size"]


def test_files_of_two_revisions_do_not_mix(weights_dir: Path, tmp_path: Path) -> None:
    catalogue = write_catalogue(tmp_path / "weights.yaml", companions=("net.bin",))
    known = yaml.safe_load(catalogue.read_text())
    for entry in known.values():
        entry["also"] = [hashlib.sha256(OTHER).hexdigest()]
    catalogue.write_text(yaml.safe_dump(known))
    path = write(weights_dir / "net.onnx", OTHER)
    write(weights_dir / "net.bin", OTHER)
    assert locate_weights("net.onnx", weights_dir=weights_dir, catalogue=catalogue) == path
    write(weights_dir / "net.bin")
    with pytest.raises(WeightsError, match=r"net\.bin: expected sha256"):
        locate_weights("net.onnx", weights_dir=weights_dir, catalogue=catalogue)


def test_a_download_that_broke_off_is_continued(https_server: str, cache: Path, tmp_path: Path) -> None:
    catalogue = write_catalogue(tmp_path / "weights.yaml", f"{https_server}/broken.onnx")
    with pytest.raises(WeightsError, match="failed"):
        locate_weights("net.onnx", weights_dir=None, catalogue=catalogue)
    (part,) = cache.iterdir()
    assert part.read_bytes() == CONTENT[:10]
    path = locate_weights("net.onnx", weights_dir=None, catalogue=catalogue)
    assert path.read_bytes() == CONTENT


def test_what_has_no_published_checksum_is_not_downloaded_and_says_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "none.yaml").write_text(
        yaml.safe_dump(
            {"pose.onnx": {"url": None, "sha256": None, "size": None, "licence": "MIT", "page": "see there"}}
        )
    )
    with pytest.raises(WeightsError, match=r"no address is known .*; see there"):
        locate_weights("pose.onnx", weights_dir=None, catalogue=tmp_path / "none.yaml")
