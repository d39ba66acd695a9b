// Accuracy: standardised weights on standardised reports, with interactions of training and model.
//
//   weight[i] ~ Normal(a + (d[i] - mean d) . b, sigma),   d = (1, report) x (1, trained) x (1, model 2, ..., model M)
//
// with x the Kronecker product and d without its first entry, the 1 of the intercept: what R writes as
// weight ~ report * trained * model. The accuracy of a model before or after training is the slope on its reports.
functions {
  vector kronecker(vector u, vector v) {
    return to_vector(v * u');
  }
  // Treatment coding: 1, then an indicator for each level from the second on.
  vector coded(int level, int levels) {
    vector[levels] code = rep_vector(0, levels);
    code[1] = 1;
    code[level] = 1;
    return code;
  }
}
data {
  int<lower=0> N;                              // attributes of all contexts, models and conditions
  int<lower=1> M;                              // models
  int<lower=1, upper=2> T;                     // conditions: 1 without, 2 before and after training
  vector[N] weight;                            // standardised
  vector[N] report;                            // standardised
  array[N] int<lower=1, upper=M> whose;             // model
  array[N] int<lower=1, upper=T> trained;
  int<lower=0, upper=1> flat;                  // whether b has no prior, as in brms
  real<lower=0> coefficient_sd;                // of b ~ Normal(0, coefficient_sd) otherwise
  real<lower=0> df;
  real intercept_location;                     // a ~ Student-t(df, intercept_location, intercept_scale)
  real<lower=0> intercept_scale;
  real<lower=0> sigma_scale;                   // sigma ~ half-Student-t(df, 0, sigma_scale)
}
transformed data {
  int P = 2 * T * M - 1;
  matrix[N, P] d;
  row_vector[P] mean_d;
  for (i in 1:N) {
    vector[2] line = [1, report[i]]';
    d[i] = kronecker(line, kronecker(coded(trained[i], T), coded(whose[i], M)))[2:(P + 1)]';
  }
  for (p in 1:P) mean_d[p] = mean(d[, p]);
  matrix[N, P] centred = d - rep_matrix(mean_d, N);
}
parameters {
  real a;
  vector[P] b;
  real<lower=0> sigma;
}
model {
  if (!flat) b ~ normal(0, coefficient_sd);
  a ~ student_t(df, intercept_location, intercept_scale);
  sigma ~ student_t(df, 0, sigma_scale);
  weight ~ normal_id_glm(centred, a, b, sigma);
}
generated quantities {
  matrix[T, M] accuracy;                       // the slope in each cell: d/d report
  vector[M] model_gain;                        // after less before, 0 without training
  vector[T] mean_accuracy;                     // models count equally
  for (t in 1:T) {
    for (m in 1:M) {
      vector[2] slope = [0, 1]';
      accuracy[t, m] = dot_product(kronecker(slope, kronecker(coded(t, T), coded(m, M)))[2:(P + 1)], b);
    }
    mean_accuracy[t] = mean(accuracy[t]);
  }
  model_gain = (accuracy[T] - accuracy[1])';
  real gain = mean_accuracy[T] - mean_accuracy[1];
}
