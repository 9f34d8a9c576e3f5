# The program with its manual pages, completions and units.
{ lib, rustPlatform, installShellFiles }:

rustPlatform.buildRustPackage {
  pname = "idlehands";
  version = (lib.importTOML ../../Cargo.toml).package.version;
  src = lib.cleanSource ../..;
  cargoLock.lockFile = ../../Cargo.lock;
  nativeBuildInputs = [ installShellFiles ];
  # They boot a systemd, which the build sandbox has not.
  doCheck = false;

  postInstall = ''
    $out/bin/idlehands man man
    installManPage man/*.1
    for shell in bash zsh fish; do
      $out/bin/idlehands completions $shell > idlehands.$shell
    done
    installShellCompletion idlehands.{bash,zsh,fish}
    for unit in units/package/*/*.service; do
      install -Dm644 $unit $out/lib/systemd/$(basename $(dirname $unit))/$(basename $unit)
    done
    substituteInPlace $out/lib/systemd/*/*.service --replace-fail /usr/bin/idlehands $out/bin/idlehands
  '';

  meta = {
    description = "An always-on gateway daemon, and the service manager around it";
    license = with lib.licenses; [ mit asl20 ];
    mainProgram = "idlehands";
    platforms = lib.platforms.unix;
  };
}
