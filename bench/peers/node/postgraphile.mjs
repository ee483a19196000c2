// PostGraphile 5 over Salescycle's tables, as its documentation sets it up for a server of one's own.
import { createServer } from "node:http";
import { makePgService } from "postgraphile/adaptors/pg";
import { grafserv } from "postgraphile/grafserv/node";
import { postgraphile } from "postgraphile";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";

const service = makePgService({
  connectionString: process.env.DATABASE_URL,
  schemas: ["public"],
  poolConfig: { min: 5, max: 10 },
});
const instance = postgraphile({
  extends: [PostGraphileAmberPreset],
  // It would offer no filter, order or list by columns whose indexes are partial, as most of ours are.
  disablePlugins: ["PgIndexBehaviorsPlugin"],
  pgServices: [service],
  grafserv: { graphqlPath: "/graphql", graphiql: false, watch: false },
  grafast: { explain: false },
});
const server = createServer();
await instance.createServ(grafserv).addTo(server);
await instance.getSchema();
server.listen(Number(process.argv[2]), "127.0.0.1");
