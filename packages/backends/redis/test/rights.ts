/** As the README has them. */
export const providerRules = [
  ...['resetchannels', '~sd:*', '&sd:*', '+eval', '+evalsha', '+subscribe', '+unsubscribe', '+ping', '+time'],
  ...[
    '+exists',
    '+del',
    '+pexpire',
    '+pttl',
    '+hget',
    '+hset',
    '+hmget',
    '+hdel',
    '+hgetall',
    '+hlen',
    '+publish',
  ],
  ...[
    '+zadd',
    '+zrem',
    '+zscore',
    '+zmscore',
    '+zcard',
    '+zcount',
    '+zrange',
    '+zrangebyscore',
    '+zremrangebyscore',
  ],
];
export const consumerRules = [
  ...['resetchannels', '~sd:*', '&sd:*', '+eval', '+evalsha', '+subscribe', '+unsubscribe', '+ping', '+time'],
  ...['+hmget', '+hgetall', '+hlen', '+zcard', '+zcount', '+zrange', '+zrangebyscore'],
];
/** To both, in a Cluster. */
export const clusterRules = ['+cluster|slots', '+asking'];
