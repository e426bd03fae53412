export { republishOperatorConfigs } from './republish-operator-configs';
