from pathlib import Path

import msgspec
import pytest

from codex_kernel.config.directory import current_directory
from codex_kernel.config.types import Config, ModelProvider, TrustLevel
from codex_kernel.exec.preparation import check_repository
from codex_protocol.errors import CodexError
from codex_protocol.policy import ReadOnly


def config(cwd: Path) -> Config:
    provider = ModelProvider(name="p")
    return Config(codex_home=cwd, cwd=cwd, model="m", model_provider="p", provider=provider, sandbox_policy=ReadOnly())


def test_a_directory_inside_a_repository_passes(tmp_path: Path):
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").touch()
    (tmp_path / "a" / "b").mkdir(parents=True)
    check_repository(config(tmp_path / "a" / "b"))


def test_a_worktree_passes(tmp_path: Path):
    (tmp_path / ".git").write_text("gitdir: /elsewhere\n")
    check_repository(config(tmp_path))


def test_an_empty_folder_called_git_is_no_repository(tmp_path: Path):
    (tmp_path / ".git").mkdir()
    with pytest.raises(CodexError, match="--skip-git-repo-check"):
        check_repository(config(tmp_path))


@pytest.mark.parametrize(("level", "passes"), [(TrustLevel.TRUSTED, True), (TrustLevel.UNTRUSTED, False)])
def test_a_trusted_directory_passes(tmp_path: Path, level: TrustLevel, passes: bool):
    given = msgspec.structs.replace(config(tmp_path), trust=level)
    if passes:
        check_repository(given)
    else:
        with pytest.raises(CodexError):
            check_repository(given)


def test_a_removed_directory_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(CodexError, match="does not exist any more"):
        current_directory()
