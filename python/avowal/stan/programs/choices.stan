// The weights of every context at once: one logistic regression for each context, with brms's priors.
//
//   y[n] ~ Bernoulli(logit^-1(intercept[c] + x[n] . slope[c])),   c the context of choice n
//   slope[c, k] ~ Normal(0, slope_sd)
//   intercept[c] + mean(x of c) . slope[c] ~ Student-t(intercept_df, 0, intercept_scale)
//
// The contexts share nothing; one run is a hundred regressions side by side.
data {
  int<lower=1> C;                           // contexts
  int<lower=1> K;                           // attributes of the context that has most; others are filled up with zeros
  array[C] int<lower=0> trials;             // choices of each context; they stand context after context
  matrix[sum(trials), K] x;                 // (a - b) / (max - min)
  array[sum(trials)] int<lower=0, upper=1> y;  // 1 for A
  real<lower=0> slope_sd;
  real<lower=0> intercept_df;
  real<lower=0> intercept_scale;
}
transformed data {
  int N = sum(trials);
  matrix[N, K] centred = x;                 // less the context's mean
  matrix[C, K] mean_x = rep_matrix(0, C, K);
  {
    int before = 0;
    for (c in 1:C) {
      int first = before + 1;
      int last = before + trials[c];
      if (trials[c] > 0) {
        mean_x[c] = rep_row_vector(1.0 / trials[c], trials[c]) * x[first:last];
        centred[first:last] = x[first:last] - rep_matrix(mean_x[c], trials[c]);
      }
      before = last;
    }
  }
}
parameters {
  matrix[C, K] slope;
  vector[C] centred_intercept;              // log odds of A at the context's average pair
}
model {
  to_vector(slope) ~ normal(0, slope_sd);
  centred_intercept ~ student_t(intercept_df, 0, intercept_scale);
  int before = 0;
  for (c in 1:C) {
    int first = before + 1;
    int last = before + trials[c];
    if (trials[c] > 0) y[first:last] ~ bernoulli_logit_glm(centred[first:last], centred_intercept[c], slope[c]');
    before = last;
  }
}
generated quantities {
  vector[C] intercept = centred_intercept - rows_dot_product(mean_x, slope);  // log odds of A between equal options
}
