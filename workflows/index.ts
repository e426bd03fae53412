export { republishOperatorConfigs } from './republish-operator-configs';
export { republishFleet } from './republish-fleet';
