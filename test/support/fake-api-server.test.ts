import { systemClock } from "../../src/lifecycle/clock.ts";
import { createKubernetesHttp } from "../../src/kubernetes/http.ts";
import { kubeconfigCredentials } from "../../src/kubernetes/kubeconfig.ts";
import { quiet } from "./api-server.ts";
import { describeApiServer } from "./api-server-contract.ts";
import { type FakeApiServer, startFakeApiServer, writeFakeKubeconfig } from "./fake-api-server.ts";

async function connect(server: FakeApiServer, token?: string) {
  const kubeconfigPath = await writeFakeKubeconfig(server, token);
  const credentials = kubeconfigCredentials({ kubeconfigPath }, systemClock, quiet);
  return createKubernetesHttp({ credentials, clock: systemClock, maxConnections: 16 });
}

for (const expiredAs of ["event", "answer"] as const) {
  describeApiServer(`the fake, which answers 410 as an ${expiredAs}`, async () => {
    const server = await startFakeApiServer();
    server.levers.expiredAs = expiredAs;
    const http = await connect(server);
    return {
      http,
      restrict: async (_, verbs) => {
        const rights = verbs.map((verb) => `${verb} pods`);
        server.allow("reader", rights);
        return connect(server, "reader");
      },
      forgetHistory: async () => server.objects.forgetHistory(),
      close: async () => {
        await http.close();
        await server.close();
      },
    };
  });
}
