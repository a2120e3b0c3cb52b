// A pod that serves a copy of a repository by ssh, with a key of its own for the one user it lets in.

import { mustRun } from "../../support/command.ts";
import type { GitServer } from "./git-server.ts";
import { kubectl } from "./release.ts";

const NAME = "git-ssh";

const SCRIPT = `
cd /tmp
git clone --quiet --mirror "$URL" dags.git
git -C dags.git config uploadpack.allowReachableSHA1InWant true
ssh-keygen -q -t ed25519 -N "" -f host; ssh-keygen -q -t ed25519 -N "" -f user; cp user.pub allowed
exec /usr/sbin/sshd -D -e -p 2222 -h /tmp/host -o AuthorizedKeysFile=/tmp/allowed -o PidFile=none -o UsePAM=no -o StrictModes=no
`;

/** Returns the repository's address; leaves a Secret "git-ssh" with the keys ssh-privatekey and known_hosts. */
export async function startSshServer(
  namespace: string,
  image: string,
  { url, username, password }: GitServer,
): Promise<string> {
  const from = new URL(url);
  from.username = username;
  from.password = encodeURIComponent(password);
  const objects = {
    apiVersion: "v1",
    kind: "List",
    items: [
      {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: NAME, labels: { app: NAME } },
        spec: {
          terminationGracePeriodSeconds: 0,
          automountServiceAccountToken: false,
          securityContext: { runAsNonRoot: true, runAsUser: 65533, seccompProfile: { type: "RuntimeDefault" } },
          containers: [
            {
              name: "sshd",
              image,
              imagePullPolicy: "IfNotPresent",
              command: ["sh", "-ec", SCRIPT],
              env: [{ name: "URL", value: from.href }],
              readinessProbe: { tcpSocket: { port: 2222 }, periodSeconds: 1 },
              securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
            },
          ],
        },
      },
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: NAME },
        spec: { selector: { app: NAME }, ports: [{ port: 22, targetPort: 2222 }] },
      },
    ],
  };
  await mustRun("kubectl", ["--namespace", namespace, "apply", "--filename", "-"], JSON.stringify(objects));
  await kubectl(namespace, "wait", "--for=condition=Ready", `pod/${NAME}`, "--timeout=60s");
  const read = (file: string) => kubectl(namespace, "exec", NAME, "--", "cat", `/tmp/${file}`);
  const host = `${NAME}.${namespace}.svc`;
  const [key, hostKey] = await Promise.all([read("user"), read("host.pub")]);
  const secret = {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: NAME },
    stringData: { "ssh-privatekey": key, known_hosts: `${host} ${hostKey}` },
  };
  await mustRun("kubectl", ["--namespace", namespace, "apply", "--filename", "-"], JSON.stringify(secret));
  return `git@${host}:/tmp/dags.git`;
}
