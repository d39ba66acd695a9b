// Choices and reports of one model together: how well it knows its weights, apart from how well we know either.
//
// A context c has weights w[c, k] over its attributes k, in log odds per full range, and for each set s of reports
// (before and after training) beliefs about them. Standardised weights and beliefs are jointly normal over contexts
// and attributes; their correlation rho[s] is the accuracy that neither few choices nor few replies attenuate:
//
//   z[c, k] = (w[c, k] - mu) / tau ~ Normal(0, 1)
//   belief[s, c, k] = rho[s] z[c, k] + sqrt(1 - rho[s]^2) e[s, c, k],   e ~ Normal(0, 1), corr(e[1], e[2]) = kappa
//   y[n] ~ Bernoulli(logit^-1(intercept[c] + x[n] . w[c]))
//   reply[s, c, i, k] ~ Normal(shift[s, c] + scale[s, c] belief[s, c, k], noise[s])
//
// Shift and scale belong to the agent of context c and are shared by its attributes. The replies enter by their means
// and their variation around them, which say all there is to say about a normal; the beliefs are integrated out.
functions {
  // Correlation of weights with reports that are standardised within each group: the paper's accuracy, whose groups are
  // reporting models (two folds are two models). member[i, g] is 1 where entry i is of group g, else 0.
  real accuracy_of(vector weight, vector report, matrix member) {
    int n = rows(member);
    vector[cols(member)] count = fmax((rep_row_vector(1, n) * member)', 1);
    vector[n] away = report - member * ((member' * report) ./ count);
    vector[n] z = away ./ (member * sqrt((member' * square(away)) ./ fmax(count - 1, 1)));
    vector[n] u = weight - mean(weight);
    return dot_product(u, z) / sqrt(dot_self(u) * dot_self(z));
  }
}
data {
  int<lower=1> C;                              // contexts
  int<lower=1> K;                              // attributes of the context that has most
  int<lower=1, upper=2> S;                     // sets of reports
  array[C] int<lower=0> trials;                // choices of each context; they stand context after context
  matrix[sum(trials), K] x;                    // (a - b) / (max - min), filled up with zeros
  array[sum(trials)] int<lower=0, upper=1> y;  // 1 for A
  int<lower=1> E;                              // attributes of all contexts
  array[E] int<lower=1, upper=C> context;
  array[E] int<lower=1, upper=K> attribute;
  array[S, C] int<lower=0> replies;            // valid replies
  matrix[E, S] report;                         // their means on the ±100 scale; 0 without replies
  int<lower=1> G;                              // groups of contexts that one model reported on, in the set with most
  array[S] matrix<lower=0, upper=1>[E, G] member;  // 1 where an entry is of a group
  array[S] int<lower=0> within_df;             // (replies - 1) * attributes, over contexts with replies
  vector<lower=0>[S] within_ss;                // sum of squared differences of replies from their means
  real<lower=0> mu_sd;                         // mu ~ Normal(0, mu_sd)
  real log_tau_mean;                           // log tau ~ Normal(log_tau_mean, log_tau_sd)
  real<lower=0> log_tau_sd;
  real<lower=0> intercept_mean_sd;             // intercept[c] ~ Normal(alpha, omega), alpha ~ Normal(0, this)
  real<lower=0> intercept_sd_scale;            // omega ~ half-Normal(0, this)
  real<lower=0> shift_mean_sd;                 // shift[s, c] ~ Normal(m[s], v[s]), m ~ Normal(0, this)
  real<lower=0> shift_sd_scale;                // v ~ half-Normal(0, this)
  real log_scale_mean;                         // log scale[s, c] ~ Normal(l[s], q[s]), l ~ Normal(this, ...
  real<lower=0> log_scale_mean_sd;             //                                                   ... this)
  real<lower=0> log_scale_sd_scale;            // q ~ half-Normal(0, this)
  real log_noise_mean;                         // log noise[s] ~ Normal(log_noise_mean, log_noise_sd)
  real<lower=0> log_noise_sd;
}
transformed data {
  array[E] int at;                             // where w[context, attribute] stands in to_vector(w)
  for (i in 1:E) at[i] = (attribute[i] - 1) * C + context[i];
  array[S] int reported = rep_array(0, S);     // attributes with replies, for each set
  array[S, E] int who = rep_array(0, S, E);
  matrix[E, S] n;
  vector[E] overlap = rep_vector(S == 2, E);   // 1 where both sets have replies
  array[E] int common;                         // the entries with replies in every set
  int commons = 0;
  for (s in 1:S) {
    for (i in 1:E) {
      n[i, s] = replies[s, context[i]];
      if (n[i, s] > 0) {
        reported[s] += 1;
        who[s, reported[s]] = i;
      } else {
        overlap[i] = 0;
      }
    }
  }
  for (i in 1:E) {
    if (min(n[i]) > 0) {
      commons += 1;
      common[commons] = i;
    }
  }
}
parameters {
  real mu;
  real<lower=0> tau;
  matrix[C, K] w;
  real alpha;
  real<lower=0> omega;
  vector[C] intercept_raw;
  vector<lower=-1, upper=1>[S] rho;
  vector<lower=-1, upper=1>[S - 1] kappa;
  vector[S] shift_mean;
  vector<lower=0>[S] shift_sd;
  matrix[C, S] shift_raw;
  vector[S] log_scale;
  vector<lower=0>[S] log_scale_sd;
  matrix[C, S] scale_raw;
  vector<lower=0>[S] noise;
}
transformed parameters {
  vector[C] intercept = alpha + omega * intercept_raw;   // log odds of A between equal options
  matrix[C, S] shift;
  matrix[C, S] scale;
  for (s in 1:S) {
    shift[, s] = shift_mean[s] + shift_sd[s] * shift_raw[, s];
    scale[, s] = exp(log_scale[s] + log_scale_sd[s] * scale_raw[, s]);
  }
}
model {
  mu ~ normal(0, mu_sd);
  tau ~ lognormal(log_tau_mean, log_tau_sd);
  alpha ~ normal(0, intercept_mean_sd);
  omega ~ normal(0, intercept_sd_scale);
  shift_mean ~ normal(0, shift_mean_sd);
  shift_sd ~ normal(0, shift_sd_scale);
  log_scale ~ normal(log_scale_mean, log_scale_mean_sd);
  log_scale_sd ~ normal(0, log_scale_sd_scale);
  noise ~ lognormal(log_noise_mean, log_noise_sd);
  rho ~ uniform(-1, 1);
  kappa ~ uniform(-1, 1);
  intercept_raw ~ std_normal();
  to_vector(shift_raw) ~ std_normal();
  to_vector(scale_raw) ~ std_normal();
  to_vector(w) ~ normal(mu, tau);

  int before = 0;
  for (c in 1:C) {
    int first = before + 1;
    int last = before + trials[c];
    if (trials[c] > 0) y[first:last] ~ bernoulli_logit_glm(x[first:last], intercept[c], w[c]');
    before = last;
  }

  // Given the weights, the means of a set's replies are normal; the second set's also given the first's.
  vector[E] z = (to_vector(w)[at] - mu) / tau;
  vector[E] away = rep_vector(0, E);           // of the first set's means from their expectation
  vector[E] variance = rep_vector(1, E);       // of the first set's means
  for (s in 1:S) {
    array[reported[s]] int i = who[s, 1:reported[s]];
    vector[reported[s]] spread = scale[context[i], s];
    vector[reported[s]] own = square(spread) * (1 - square(rho[s])) + square(noise[s]) ./ n[i, s];
    vector[reported[s]] expected = shift[context[i], s] + rho[s] * spread .* z[i];
    if (s == 1) {
      report[i, s] ~ normal(expected, sqrt(own));
      away[i] = report[i, s] - expected;
      variance[i] = own;
    } else {
      vector[reported[s]] shared = overlap[i] .* scale[context[i], 1] .* spread
                                   * (kappa[1] * sqrt((1 - square(rho[1])) * (1 - square(rho[s]))));
      report[i, s] ~ normal(expected + shared ./ variance[i] .* away[i], sqrt(own - square(shared) ./ variance[i]));
    }
    // The sum of squares over noise^2 is chi-square.
    if (within_df[s] > 0) within_ss[s] ~ gamma(0.5 * within_df[s], 0.5 / square(noise[s]));
  }
}
generated quantities {
  // The paper's accuracy of these very contexts without error on either side: weights scaled to ±1 within each context,
  // correlated with what the agents would report on average over endless replies.
  vector[S] accuracy;
  vector[S - 1] rho_gain;
  vector[S - 1] accuracy_gain;                 // after less before, over the contexts with replies in both sets
  {
    vector[C] largest = rep_vector(0, C);
    for (i in 1:E) largest[context[i]] = fmax(largest[context[i]], abs(w[context[i], attribute[i]]));
    vector[E] scaled = to_vector(w)[at] ./ largest[context];
    vector[E] z = (to_vector(w)[at] - mu) / tau;
    matrix[E, S] precision;                    // of the expected report, given weights and replies
    matrix[E, S] pull;                         // precision-weighted sum of what weights and replies say
    matrix[E, S] drawn;
    vector[E] cross = rep_vector(0, E);        // off-diagonal entry of the precision
    real partial = S == 2 ? square(kappa[1]) : 0;
    for (s in 1:S) {
      vector[E] spread = scale[context, s] * sqrt(1 - square(rho[s]));
      vector[E] expected = shift[context, s] + rho[s] * scale[context, s] .* z;
      vector[E] prior = inv_square(spread) / (1 - partial);
      precision[, s] = prior + n[, s] / square(noise[s]);
      pull[, s] = prior .* expected + n[, s] .* report[, s] / square(noise[s]);
      if (S == 2) {
        int other = 3 - s;
        vector[E] spread_other = scale[context, other] * sqrt(1 - square(rho[other]));
        cross = -kappa[1] / (1 - partial) * inv(spread .* spread_other);
        pull[, s] += cross .* (shift[context, other] + rho[other] * scale[context, other] .* z);
      }
    }
    if (S == 2) {                              // the second set by itself, then the first given the second
      vector[E] determinant = precision[, 1] .* precision[, 2] - square(cross);
      drawn[, 2] = to_vector(normal_rng((precision[, 1] .* pull[, 2] - cross .* pull[, 1]) ./ determinant,
                                        sqrt(precision[, 1] ./ determinant)));
      pull[, 1] -= cross .* drawn[, 2];
    }
    drawn[, 1] = to_vector(normal_rng(pull[, 1] ./ precision[, 1], inv_sqrt(precision[, 1])));
    for (s in 1:S) {
      array[reported[s]] int i = who[s, 1:reported[s]];
      accuracy[s] = accuracy_of(scaled[i], drawn[i, s], member[s][i]);
    }
    array[commons] int i = common[1:commons];
    for (s in 2:S) {
      rho_gain[s - 1] = rho[s] - rho[1];
      accuracy_gain[s - 1] = accuracy_of(scaled[i], drawn[i, s], member[s][i])
                             - accuracy_of(scaled[i], drawn[i, 1], member[1][i]);
    }
  }
}
