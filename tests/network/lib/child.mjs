// How a server process lives: says `ready` when it listens, closes in order on SIGTERM, and ends at once when
// up.mjs is gone, however that ended.

/** Runs `start`, which resolves to a function that closes the server in order. */
export async function serve(start) {
  const orphaned = () => process.exit(0);
  process.on('disconnect', orphaned);
  if (!process.connected) orphaned();
  // up.mjs decides when a server ends; a Ctrl-C on its terminal is not for us.
  process.on('SIGINT', () => {});
  const close = await start();
  process.once('SIGTERM', () =>
    close().then(
      () => process.exit(0),
      () => process.exit(1),
    ),
  );
  process.send('ready');
}
