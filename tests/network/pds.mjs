// A reference PDS in a process of its own. Its settings come as PDS_* variables from up.mjs.
import { serve } from './lib/child.mjs';

await serve(async () => {
  const { PDS } = await import('@atproto/pds');
  const pds = await PDS.fromEnv();
  // The PDS has no setting for the address: it would listen on every interface.
  const listen = pds.app.listen.bind(pds.app);
  pds.app.listen = (port) => listen(port, '127.0.0.1');
  await pds.start();
  return () => pds.destroy();
});
